/** A journal's number times this, plus the ordinal of a row in the journal, is the row's id. */
export const ORDINALS = 2 ** 36

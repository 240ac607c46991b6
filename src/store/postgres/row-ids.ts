/**
 * How many ids there are for the rows of one journal. A row's id is the journal's number times
 * this, plus the ordinal of the row in its journal.
 */
export const IDS_PER_JOURNAL = 2 ** 36

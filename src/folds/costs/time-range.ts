/** Timestamps from one, inclusive, to another, exclusive. */
export interface TimeRange {
  from: string
  until: string
}

/** A text that sorts after every timestamp, even one that another program wrote. */
export const AFTER_ALL_TIMES = '\u{10ffff}'

/** The smallest range that covers both. */
export function joinRanges(a: TimeRange | null, b: TimeRange | null): TimeRange | null {
  if (a === null || b === null) return a ?? b
  return { from: a.from < b.from ? a.from : b.from, until: a.until > b.until ? a.until : b.until }
}

import { joinRanges, type TimeRange } from '../folds/costs/price.js'

/** A repricing that is pending, in either store. The one with the lowest id is in progress. */
export interface RepricingRow {
  id: number
  /** It covers rows with a timestamp before this one. */
  until_timestamp: string
  /** The last row that was repriced, in the order of (timestamp, id). */
  cursor_timestamp: string
  cursor_id: number
  /** The costs of rows with higher ids were computed with all prices when they were inserted. */
  through_id: number
}

/**
 * Joins a range of timestamps with what is left of a pending repricing. If the range begins at or
 * after the cursor, the cursor stays. Otherwise the cursor goes back to the beginning of the range,
 * and rows that were repriced already are repriced again.
 *
 * @param throughId the id of the last row whose cost may have been computed without the new prices.
 */
export function joinRepricing(
  range: TimeRange,
  throughId: number,
  pending: RepricingRow | null,
): TimeRange & { cursorId: number; throughId: number } {
  const left = pending && { from: pending.cursor_timestamp, until: pending.until_timestamp }
  const joined = joinRanges(range, left) ?? range
  const goesOn = pending !== null && joined.from === pending.cursor_timestamp
  return {
    ...joined,
    cursorId: goesOn ? pending.cursor_id : Number.MIN_SAFE_INTEGER,
    throughId: Math.max(throughId, pending?.through_id ?? 0),
  }
}

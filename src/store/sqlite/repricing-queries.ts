import { joinRanges, type TimeRange } from '../../folds/costs/price.js'
import type { Database } from './connection/database.js'
import { pageOf } from './request-queries.js'
import { STORED_COLUMNS, type StoredRow } from './stored-row.js'

/** A repricing that is pending. The one with the lowest id is in progress. */
export interface RepricingRow {
  id: number
  /** It covers rows with a timestamp from this one on, and before `until_timestamp`. */
  from_timestamp: string
  until_timestamp: string
  /** The last row that was repriced, in the order of (timestamp, id). */
  cursor_timestamp: string
  cursor_id: number
  /** The costs of rows with higher ids were computed with all prices when they were inserted. */
  through_id: number
  /**
   * Whether this is the first repricing of a database from before costs were computed, and the sums
   * have yet to count retries.
   */
  is_first: number
}

export function readRepricings(database: Database): RepricingRow[] {
  return database.prepare<[], RepricingRow>('SELECT * FROM repricing ORDER BY id').all()
}

/**
 * Adds a range of timestamps to what is pending, by joining it with what is left of the last
 * repricing. If the new range begins at or after the cursor, the cursor stays. Otherwise the cursor
 * goes back to the beginning of the new range, and rows that were repriced already are repriced
 * again.
 *
 * @param throughId the id of the last row whose cost may have been computed without the new prices.
 */
export function addToRepricing(database: Database, range: TimeRange, throughId: number): void {
  const last = readRepricings(database).at(-1)
  // The first repricing of an old database isn't joined with others, because it must count each row
  // only once.
  const pending = last === undefined || last.is_first !== 0 ? null : last
  const left = pending && { from: pending.cursor_timestamp, until: pending.until_timestamp }
  const { from, until } = joinRanges(range, left) ?? range
  const goesOn = pending !== null && from === pending.cursor_timestamp
  database
    .prepare(
      'INSERT OR REPLACE INTO repricing VALUES (@id, @from, @until, @from, @cursorId, @throughId, FALSE)',
    )
    .run({
      id: pending?.id ?? null,
      from,
      until,
      cursorId: goesOn ? pending.cursor_id : Number.MIN_SAFE_INTEGER,
      throughId: Math.max(throughId, pending?.through_id ?? 0),
    })
}

/**
 * Reads the next rows to reprice, and moves the cursor past them. Ends the repricing when no row is
 * left.
 */
export function takeRowsToReprice(
  database: Database,
  { id, cursor_timestamp, cursor_id, until_timestamp, through_id }: RepricingRow,
  maxRows: number,
): StoredRow[] {
  const left = database
    .prepare<[string, number, string, number, number], StoredRow>(
      `SELECT ${STORED_COLUMNS} FROM requests WHERE (timestamp, id) > (?, ?) AND timestamp < ? AND id <= ?
         AND (segment_id IS NOT NULL OR completed_segment_id IS NOT NULL) ORDER BY timestamp, id LIMIT ?`,
    )
    .raw()
  const rows = pageOf(left.iterate(cursor_timestamp, cursor_id, until_timestamp, through_id, maxRows))
  const last = rows.at(-1)
  if (last === undefined) database.prepare('DELETE FROM repricing WHERE id = ?').run(id)
  else {
    const [lastId, , timestamp] = last
    const move = 'UPDATE repricing SET cursor_timestamp = ?, cursor_id = ? WHERE id = ?'
    database.prepare(move).run(timestamp, lastId, id)
  }
  return rows
}

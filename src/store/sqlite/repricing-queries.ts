import type { TimeRange } from '../../folds/costs/price.js'
import { joinRepricing, type RepricingRow } from '../repricing-row.js'
import type { Database } from './connection/database.js'
import { pageOf } from './request-queries.js'
import { STORED_COLUMNS, type StoredRow } from './stored-row.js'

/** A row of `repricing` in SQLite. */
interface SqliteRepricingRow extends RepricingRow {
  /**
   * Whether this is the first repricing of a database from before costs were computed, and the sums
   * have yet to count retries.
   */
  is_first: number
}

export function readRepricings(database: Database): SqliteRepricingRow[] {
  return database.prepare<[], SqliteRepricingRow>('SELECT * FROM repricing ORDER BY id').all()
}

/** Adds a range of timestamps to what is pending: see `joinRepricing`. */
export function addToRepricing(database: Database, range: TimeRange, throughId: number): void {
  const last = readRepricings(database).at(-1)
  // The first repricing of an old database isn't joined with others, because it must count each row
  // only once.
  const pending = last === undefined || last.is_first !== 0 ? null : last
  const sql =
    'INSERT OR REPLACE INTO repricing VALUES (@id, @from, @until, @from, @cursorId, @throughId, FALSE)'
  database.prepare(sql).run({ id: pending?.id ?? null, ...joinRepricing(range, throughId, pending) })
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

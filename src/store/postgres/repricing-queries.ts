import { AFTER_ALL_TIMES, joinRanges, type TimeRange } from '../../folds/costs/price.js'
import type { Connection } from './connection/connection.js'
import { STORED_COLUMNS, type StoredRow } from './stored-row.js'

/** A repricing that is pending. The one with the lowest id is in progress. */
export interface RepricingRow {
  id: number
  until_timestamp: string
  /** The last row that was repriced, in the order of (timestamp, id). */
  cursor_timestamp: string
  cursor_id: number
  /** The costs of rows with higher ids were computed with all prices when they were inserted. */
  through_id: number
}

export async function readRepricing(
  connection: Connection,
  journal: number,
): Promise<RepricingRow | undefined> {
  return await connection.one<RepricingRow & { [column: string]: unknown }>(
    'SELECT * FROM repricing WHERE journal = $1 ORDER BY id LIMIT 1',
    journal,
  )
}

/**
 * Adds a range of timestamps to what is pending, by joining it with what is left of the repricing
 * in progress. If the new range begins at or after the cursor, the cursor stays. Otherwise the
 * cursor goes back to the beginning of the new range, and rows that were repriced already are
 * repriced again.
 *
 * @param throughId the id of the last row whose cost may have been computed without the new prices.
 */
export async function addToRepricing(
  connection: Connection,
  journal: number,
  range: TimeRange,
  throughId: number,
): Promise<void> {
  const pending = await readRepricing(connection, journal)
  const left = pending === undefined ? null : rangeLeft(pending)
  const { from, until } = joinRanges(range, left) ?? range
  const goesOn = pending !== undefined && from === pending.cursor_timestamp
  await connection.run('DELETE FROM repricing WHERE journal = $1', journal)
  await connection.run(
    `INSERT INTO repricing (journal, from_timestamp, until_timestamp, cursor_timestamp, cursor_id, through_id)
     VALUES ($1, $2, $3, $2, $4, $5)`,
    journal,
    from,
    until === AFTER_ALL_TIMES ? 'infinity' : until,
    goesOn ? pending.cursor_id : Number.MIN_SAFE_INTEGER,
    Math.max(throughId, pending?.through_id ?? 0),
  )
}

function rangeLeft({ cursor_timestamp, until_timestamp }: RepricingRow): TimeRange {
  return { from: cursor_timestamp, until: until_timestamp }
}

/**
 * Reads the next rows to reprice, and moves the cursor past them. Ends the repricing when no row is
 * left.
 */
export async function takeRowsToReprice(
  connection: Connection,
  journal: number,
  pending: RepricingRow,
  maxRows: number,
): Promise<StoredRow[]> {
  const { id, cursor_timestamp, cursor_id, until_timestamp, through_id } = pending
  const rows = await connection.raw<StoredRow>(
    `SELECT ${STORED_COLUMNS} FROM requests
     WHERE journal = $1 AND (timestamp, id) > ($2, $3) AND timestamp >= $2 AND timestamp < $4 AND id <= $5
     ORDER BY timestamp, id LIMIT $6`,
    journal,
    cursor_timestamp,
    cursor_id,
    until_timestamp === AFTER_ALL_TIMES ? 'infinity' : until_timestamp,
    through_id,
    maxRows,
  )
  const last = rows.at(-1)
  if (last === undefined) {
    await connection.run('DELETE FROM repricing WHERE journal = $1 AND id = $2', journal, id)
  } else {
    const [lastId, , timestamp] = last
    const move = 'UPDATE repricing SET cursor_timestamp = $3, cursor_id = $4 WHERE journal = $1 AND id = $2'
    await connection.run(move, journal, id, timestamp, lastId)
  }
  return rows
}

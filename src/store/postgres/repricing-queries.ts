import { AFTER_ALL_TIMES, type TimeRange } from '../../folds/costs/price.js'
import { joinRepricing, type RepricingRow } from '../repricing-row.js'
import type { JournalConnection } from './journal-connection.js'
import { STORED_COLUMNS, type StoredRow } from './stored-row.js'

/** Adds a range of timestamps to what is pending: see `joinRepricing`. */
export async function addToRepricing(
  journal: JournalConnection,
  range: TimeRange,
  throughId: number,
): Promise<void> {
  const joined = joinRepricing(range, throughId, await readRepricing(journal))
  await journal.run('DELETE FROM repricing WHERE journal = $1')
  await journal.run(
    `INSERT INTO repricing (journal, from_timestamp, until_timestamp, cursor_timestamp, cursor_id, through_id)
     VALUES ($1, $2, $3, $2, $4, $5)`,
    joined.from,
    storedUntil(joined.until),
    joined.cursorId,
    joined.throughId,
  )
}

/**
 * Reads the next rows to reprice, and moves the cursor past them. Ends the repricing when no row is
 * left.
 *
 * @returns null if no repricing is pending.
 */
export async function takeRowsToReprice(
  journal: JournalConnection,
  maxRows: number,
): Promise<StoredRow[] | null> {
  const pending = await readRepricing(journal)
  if (pending === null) return null
  const { id, cursor_timestamp, cursor_id, until_timestamp, through_id } = pending
  const rows = await journal.all<StoredRow>(
    `SELECT ${STORED_COLUMNS} FROM requests
     WHERE journal = $1 AND (timestamp, id) > ($2, $3) AND timestamp >= $2 AND timestamp < $4 AND id <= $5
     ORDER BY timestamp, id LIMIT $6`,
    cursor_timestamp,
    cursor_id,
    storedUntil(until_timestamp),
    through_id,
    maxRows,
  )
  const last = rows.at(-1)
  if (last === undefined) {
    await journal.run('DELETE FROM repricing WHERE journal = $1 AND id = $2', id)
  } else {
    const move = 'UPDATE repricing SET cursor_timestamp = $3, cursor_id = $4 WHERE journal = $1 AND id = $2'
    await journal.run(move, id, last.timestamp, last.id)
  }
  return rows
}

async function readRepricing(journal: JournalConnection): Promise<RepricingRow | null> {
  const sql = 'SELECT * FROM repricing WHERE journal = $1 ORDER BY id LIMIT 1'
  return (await journal.one<RepricingRow>(sql)) ?? null
}

/** The end of a range as PostgreSQL stores it. */
function storedUntil(until: string): string {
  return until === AFTER_ALL_TIMES ? 'infinity' : until
}

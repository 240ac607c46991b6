import { realpathSync, statSync } from 'node:fs'
import { countAddedRows } from '../../queries/window/added-rows.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import { checkVersions } from '../../store/sqlite/fold-versions.js'
import { countText, sizeText, wholeNumber } from '../count-text.js'
import type { JournalTables } from '../journal-tables.js'
import { atLeast, type Finding, NEWEST_ROWS, note, ok, problem } from './check.js'

/** A check takes about a second for each GiB in the page cache, and longer from a slow disk. */
const CHECKED_BYTES = 256 * 1024 * 1024
const LARGE_WAL_BYTES = 256 * 1024 * 1024

export function checkDatabase(database: Database, databasePath: string): Finding {
  checkVersions(database, databasePath)
  const { size } = statSync(databasePath)
  if (size > CHECKED_BYTES) {
    return ok(`${sizeText(size)}; too large to be checked here: sqlite3 ${databasePath} 'PRAGMA quick_check'`)
  }
  const found = database.pragma('quick_check(5)') as { quick_check: string }[]
  const items = found.map(({ quick_check }) => quick_check)
  if (items.join() === 'ok') return ok(`${sizeText(size)}, its pages are sound`)
  const advice = 'Move it away together with its -wal, keep both, and rebuild it: `request-journal replay`'
  return problem('SQLite finds it damaged', advice, items)
}

export function checkWal(databasePath: string): Finding {
  const size = statSync(`${realpathSync(databasePath)}-wal`, { throwIfNoEntry: false })?.size ?? 0
  const found = `the database's WAL has ${sizeText(size)}`
  if (size < LARGE_WAL_BYTES) return ok(found)
  const advice =
    'It grows while a reader keeps a transaction open (a dashboard, a forgotten sqlite3 shell) or a replay ' +
    'runs: `lsof` on the -wal file shows which. It shrinks once they end'
  return note(found, advice)
}

export function checkRejected(tables: JournalTables): Finding {
  const rows = tables.database
    .prepare<[number], { reason: string; n: number }>(
      `SELECT reason, count(*) AS n FROM (
         SELECT reason FROM ${tables.from('rejected_lines')} ORDER BY segment_id DESC, byte_offset DESC LIMIT ?) AS newest
       GROUP BY reason ORDER BY n DESC`,
    )
    .all(NEWEST_ROWS)
  const total = rows.reduce((sum, { n }) => sum + n, 0)
  if (total === 0) return ok('no line was rejected')
  const items = rows.map(({ reason, n }) => `${reason}: ${wholeNumber(n)}`)
  const found = `${atLeast(total)}${countText(total, 'line')} could not be projected; they stay in the journal`
  const advice =
    'See `request-journal rejected`. unknown_type: a newer writer, so upgrade and replay; or a mistyped type, which stays rejected until the event is appended again'
  return note(found, advice, items)
}

/** Rows that other programs have added since the journal began, which no sum counts. */
export function checkAddedRows(database: Database): Finding {
  const count = countAddedRows(database)
  if (count === 0) return ok('no other program has added rows')
  return note(
    `${countText(count, 'row')} added by another program: listed, but in no sum`,
    'Only events are counted: append these requests instead (`request-journal append`), and delete the rows',
  )
}

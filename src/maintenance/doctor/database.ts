import { realpathSync, statSync } from 'node:fs'
import { UNENDED_SQL, unfinishedUntil } from '../../folds/stream-state.js'
import { checkVersions } from '../../projection/versions.js'
import { countAddedRows } from '../../queries/window/added-rows.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import { countText } from '../count-text.js'
import { attempt, type DoctorCheck, note, ok, problem, sizeText } from './check.js'
import { checkCompletions } from './completions.js'

/** So much of a table is looked at: doctor must answer within seconds on a database of any size. */
const NEWEST_ROWS = 200_000
/** Checking takes about a second for each GiB that the page cache holds, and much longer from a slow disk. */
const CHECKED_BYTES = 256 * 1024 * 1024
const LARGE_WAL_BYTES = 256 * 1024 * 1024

export function checkDatabase(database: Database, path: string, now: number): DoctorCheck[] {
  return [
    ...attempt('database', () => checkContent(database, path)),
    ...attempt('wal', () => checkWal(path)),
    ...attempt('rejected_lines', () => checkRejected(database)),
    ...attempt('held_completions', () => checkHeld(database, now)),
    ...attempt('completions', () => checkCompletions(database)),
    ...attempt('unfinished_streams', () => checkStreams(database, now)),
    ...attempt('added_rows', () => checkAddedRows(database)),
  ]
}

function checkContent(database: Database, path: string): DoctorCheck {
  checkVersions(database, path)
  const { size } = statSync(path)
  if (size > CHECKED_BYTES) {
    return ok(
      'database',
      `${sizeText(size)}; too large to be checked here: sqlite3 ${path} 'PRAGMA quick_check'`,
    )
  }
  const found = database.pragma('quick_check(5)', { simple: false }) as { quick_check: string }[]
  if (found.length === 1 && found[0]?.quick_check === 'ok')
    return ok('database', `${sizeText(size)}, its pages are sound`)
  const advice = 'Move it away together with its -wal, keep both, and rebuild it: `request-journal replay`'
  const items = found.map(({ quick_check }) => quick_check)
  return problem('database', 'SQLite finds it damaged', advice, items)
}

function checkWal(path: string): DoctorCheck {
  const size = statSync(`${realpathSync(path)}-wal`, { throwIfNoEntry: false })?.size ?? 0
  const found = `the database's WAL has ${sizeText(size)}`
  if (size < LARGE_WAL_BYTES) return ok('wal', found)
  const advice =
    'It grows while a reader keeps a transaction open (a dashboard, a forgotten sqlite3 shell) or a replay runs: `lsof` on the -wal file names them. It shrinks once they end'
  return note('wal', found, advice)
}

function checkRejected(database: Database): DoctorCheck {
  const rows = database
    .prepare<[number], { reason: string; n: number }>(
      `SELECT reason, count(*) AS n FROM (SELECT reason FROM rejected_lines ORDER BY segment_id DESC, byte_offset DESC LIMIT ?)
       GROUP BY reason ORDER BY n DESC`,
    )
    .all(NEWEST_ROWS)
  const total = rows.reduce((sum, { n }) => sum + n, 0)
  if (total === 0) return ok('rejected_lines', 'no line was rejected')
  const items = rows.map(({ reason, n }) => `${reason}: ${n.toLocaleString('en-US')}`)
  const found = `${atLeast(total)}${countText(total, 'line')} could not be projected; they stay in the journal`
  return note(
    'rejected_lines',
    found,
    'See `request-journal rejected`; unknown_type: upgrade, then replay',
    items,
  )
}

function checkHeld(database: Database, now: number): DoctorCheck {
  const row = database
    .prepare<[], { n: number; oldest: string | null }>(
      `SELECT (SELECT count(*) FROM held_completions) AS n,
         (SELECT s.name FROM held_completions h JOIN journal_segments s ON s.id = h.segment_id
          ORDER BY h.segment_id, h.byte_offset LIMIT 1) AS oldest`,
    )
    .get()
  const { n = 0, oldest = null } = row ?? {}
  if (n === 0 || oldest === null) return ok('held_completions', 'none waits for its request')
  const found = `${countText(n, 'completion')} came before the request, the oldest in ${oldest}`
  // In flight, as it were: the request may be in the next line.
  if (oldest.slice(0, 10) >= new Date(now).toISOString().slice(0, 10)) return ok('held_completions', found)
  const advice =
    'Requests that never come were never logged, or under another correlation_id: look at that gateway'
  return note('held_completions', found, advice)
}

function checkStreams(database: Database, now: number): DoctorCheck {
  const row = database
    .prepare<[string, number], { n: number; oldest: string | null }>(
      `SELECT count(*) AS n, min(timestamp) AS oldest FROM (
         SELECT timestamp FROM requests WHERE ${UNENDED_SQL} AND timestamp <= ? AND segment_id IS NOT NULL
         ORDER BY timestamp DESC LIMIT ?)`,
    )
    .get(unfinishedUntil(now), NEWEST_ROWS)
  const { n = 0, oldest = null } = row ?? {}
  if (n === 0) return ok('unfinished_streams', 'every stream older than an hour has ended')
  const found = `${atLeast(n)}${countText(n, 'stream')} began more than an hour ago and never ended, the oldest at ${oldest}`
  const advice =
    'Their tokens and cost are not final: the gateway died meanwhile, or logs no stream_completed'
  return note('unfinished_streams', found, advice)
}

/** Rows that other programs have added since there is a journal: no sum has them. */
function checkAddedRows(database: Database): DoctorCheck {
  const count = countAddedRows(database)
  if (count === 0) return ok('added_rows', 'no other program has added rows')
  return note(
    'added_rows',
    `${countText(count, 'row')} added by another program: listed, but in no sum`,
    'Only events are counted: append these requests instead (`request-journal append`), and delete the rows',
  )
}

function atLeast(total: number): string {
  return total === NEWEST_ROWS ? 'at least ' : ''
}

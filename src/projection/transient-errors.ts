// Which errors of a projector are temporary, whether they are the database's or the journal's, and
// how long to wait before the next attempt.
import { JournalError } from '../journal/errors.js'
import { isMissing, isNameNotDurable, isTransientCode } from '../journal/file-system.js'
import { ProjectionError } from '../store/errors.js'
import { PostgresError, type PostgresErrorCode } from '../store/postgres/connection/errors.js'

const MIN_DELAY_MS = 100
const MAX_DELAY_MS = 10_000

/**
 * The codes of temporary errors of a database: another process holds it, the disk is full or
 * refuses writes, the file is read-only for now.
 */
const TRANSIENT_DATABASE = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|READONLY|CANTOPEN|NOMEM|PROTOCOL)/

/**
 * The codes of errors that somebody may fix on the server, or that resolve themselves there, while
 * a projector waits. A restored backup may lack a user or a migration, and the session of a
 * projector that lost its connection lives on for a while.
 */
const TRANSIENT_POSTGRES: ReadonlySet<PostgresErrorCode> = new Set([
  'SERVER_AWAY',
  'LOGIN_REFUSED',
  'TLS_REFUSED',
  'RIGHTS_MISSING',
  'SCHEMA_MISSING',
  'SCHEMA_BEHIND',
  'PROJECTOR_RUNNING',
  'TABLES_RESTORED',
])

/**
 * Whether waiting can help. It can if the database or the system refuses to work for now, or if the
 * journal can't be found or isn't complete yet: rows and position have been rolled back together,
 * and gateways can append without the projector. It never helps if a segment was replaced or
 * truncated, or if a sync failed, since the kernel reports a lost page only once.
 */
export function isTransient(error: unknown): boolean {
  // If a journal is moved away after its segment was opened, its directory can't be opened to sync
  // the segment's name.
  if (isJournalAway(error) || isNameNotDurable(error)) return true
  if (error instanceof PostgresError) return TRANSIENT_POSTGRES.has(error.code)
  if (error instanceof ProjectionError) {
    if (error.code === 'SEGMENT_SYNC_FAILED') return false
    if (error.code === 'DATABASE_AWAY') return true
  }
  for (let cause = error; typeof cause === 'object' && cause !== null; ) {
    const { code, cause: next } = cause as { code?: unknown; cause?: unknown }
    cause = next
    if (typeof code === 'string' && (TRANSIENT_DATABASE.test(code) || isTransientCode(code))) return true
  }
  return false
}

/** Whether a temporary error is about the database rather than the journal. */
export function isAboutDatabase(error: unknown): boolean {
  if (error instanceof PostgresError) return true
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^(SQLITE|DATABASE)_/.test(code)
}

/**
 * Whether there is no journal, or only a part of one yet: segments without a journal.json, or with
 * an incomplete one.
 */
export function isJournalAway(error: unknown): boolean {
  if (!(error instanceof JournalError)) return false
  if (error.code === 'JOURNAL_MISSING') return true
  const isIncomplete = isMissing(error.cause) || error.cause instanceof SyntaxError
  return error.code === 'JOURNAL_INVALID' && isIncomplete
}

/** Returns the delay after a number of failures in a row, which doubles from 100 ms to 10 s. */
export function retryDelay(failures: number): number {
  return Math.min(MAX_DELAY_MS, MIN_DELAY_MS * 2 ** (failures - 1))
}

/**
 * Returns a random part, from half to all, of a delay, so that many hosts that lost the same server
 * don't all reconnect at the same moment.
 *
 * @param random between 0 and 1.
 */
export function withJitter(delayMs: number, random: number): number {
  return Math.round(delayMs * (0.5 + random / 2))
}

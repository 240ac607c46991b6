import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import { temporaryFolder } from './temporary-folder.js'

/**
 * The things that can be wrong with a database. The codes are stable:
 *
 * - `NOT_A_DATABASE`: the file isn't an SQLite database, or is encrypted; or it is a directory, a
 *   FIFO or a device.
 * - `DATABASE_DAMAGED`: SQLite finds the file malformed.
 * - `DATABASE_MISSING`: a file that doesn't exist was to be opened read-only, or locked.
 * - `DATABASE_UNWRITABLE`: the folder or the file can't be created or written: permissions, a
 *   read-only or full disk, a path that leads through a file. Also if a reader can't make the
 *   `-shm` file that WAL needs in the folder.
 * - `DATABASE_BUSY`: another process kept it locked for longer than the busy timeout.
 * - `DATABASE_TOO_NEW`: the ledger has a migration that this program doesn't have.
 * - `DATABASE_BEHIND`: a database that lacks some of this program's migrations was opened
 *   read-only.
 * - `MIGRATION_EDITED`: the file of an applied migration isn't what was applied.
 * - `MIGRATION_INCOMPLETE`: the ledger has a migration that began and didn't succeed.
 * - `MIGRATION_FAILED`: the SQL of a migration failed, and was rolled back whole; or a read-only
 *   open found that it would.
 * - `SCHEMA_CHANGED`: a table, column, index or trigger isn't as the migrations made it.
 * - `ROWS_REFERRED_TO`: a table of the operator's refers to rows that a prune would remove, or that
 *   would be gone or have another id after a replay.
 * - `DRIVER_UNUSABLE`: better-sqlite3 is missing, or isn't for this version of Node.
 * - `PROJECTOR_RUNNING`: another projector, replay or prune holds the database, or another archive
 *   run, prune or import holds the journal.
 */
export const DATABASE_ERROR_CODES = [
  'NOT_A_DATABASE',
  'DATABASE_DAMAGED',
  'DATABASE_MISSING',
  'DATABASE_UNWRITABLE',
  'DATABASE_BUSY',
  'DATABASE_TOO_NEW',
  'DATABASE_BEHIND',
  'MIGRATION_EDITED',
  'MIGRATION_INCOMPLETE',
  'MIGRATION_FAILED',
  'SCHEMA_CHANGED',
  'ROWS_REFERRED_TO',
  'DRIVER_UNUSABLE',
  'PROJECTOR_RUNNING',
] as const

export type DatabaseErrorCode = (typeof DATABASE_ERROR_CODES)[number]

/**
 * Thrown when something is wrong with a database. `path` is its file, `cause` the error of SQLite
 * or the file system.
 */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError'
  readonly code: DatabaseErrorCode
  readonly path: string

  constructor(code: DatabaseErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(`${path}: ${message}`, options)
    this.code = code
    this.path = path
  }
}

/**
 * Whether an error was thrown by better-sqlite3. It is recognized by its name, so that a program
 * that needs only the errors doesn't load the addon, and errors of a second copy of the addon count
 * too.
 */
function isSqliteError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && error.name === 'SqliteError' && 'code' in error
}

/**
 * Whether another process's lock is the reason for an error, so that another attempt is worthwhile.
 */
export function isBusy(error: unknown): boolean {
  // PROTOCOL: too many processes raced for the start of one WAL.
  return isSqliteError(error) && /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(error.code)
}

/**
 * Names all folders that SQLite writes to, since it doesn't say which of its files the disk
 * refused.
 */
function diskAdvice(path: string): string {
  const folder = dirname(path)
  const temporary = temporaryFolder(path)
  if (temporary === null) {
    return `there is no folder for SQLite's temporary files: let this user write to ${folder}, or set SQLITE_TMPDIR`
  }
  const rest = temporary === folder ? '' : `, and of ${temporary}, where SQLite's temporary files go`
  return `check the disk of ${folder}${rest}, and the space left there`
}

/**
 * Says what SQLite doesn't: whether this user may not read the file itself, or not write beside it.
 */
function openAdvice(path: string): string {
  try {
    accessSync(path, constants.R_OK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') {
      return "this user may not read the file: run this as its owner, or correct its permissions and its folder's"
    }
  }
  return 'expected a file in a folder that this user may write to (SQLite keeps -wal and -shm files beside a database)'
}

/**
 * Returns an error of SQLite about the file at `path` as a {@link DatabaseError}, and any other
 * error as it is.
 */
export function asDatabaseError(error: unknown, path: string): unknown {
  if (!isSqliteError(error)) return error
  const found = `${error.message} (${error.code})`
  const as = (code: DatabaseErrorCode, message: string) =>
    new DatabaseError(code, path, message, { cause: error })
  if (isBusy(error)) {
    return as(
      'DATABASE_BUSY',
      `another process kept the database locked (${error.code}): try again, or stop what holds it`,
    )
  }
  if (error.code === 'SQLITE_NOTADB') {
    return as(
      'NOT_A_DATABASE',
      'the file is not an SQLite database: name another file, or move this one away and replay',
    )
  }
  if (/^SQLITE_CORRUPT/.test(error.code)) {
    return as(
      'DATABASE_DAMAGED',
      `${found}: move the database away together with its -wal, keep both, and replay from the journal`,
    )
  }
  if (/^SQLITE_(FULL|IOERR)/.test(error.code)) {
    return as('DATABASE_UNWRITABLE', `${found}: ${diskAdvice(path)}`)
  }
  if (/^SQLITE_(CANTOPEN|READONLY|PERM|AUTH)/.test(error.code)) {
    return as('DATABASE_UNWRITABLE', `${found}: ${openAdvice(path)}`)
  }
  if (/^SQLITE_CONSTRAINT/.test(error.code)) {
    const advice =
      '`request-journal doctor` names what was added to the tables: drop it, or move it to a table of its own'
    return as(
      'SCHEMA_CHANGED',
      `${found}: a row was refused by a constraint, index or trigger that request-journal didn't make; ${advice}`,
    )
  }
  if (error.code === 'SQLITE_ERROR' && /^no such (table|column)|has no column/.test(error.message)) {
    const advice =
      '`request-journal doctor` names what is missing: put it back, or move the database away and replay'
    return as('SCHEMA_CHANGED', `${found}: the tables aren't as request-journal made them; ${advice}`)
  }
  return error
}

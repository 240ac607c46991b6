import { accessSync, constants, realpathSync, type Stats, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type SQLite from 'better-sqlite3'
import { nodeFileSystem } from '../../../journal/file-system.js'
import { createDirectory } from '../../../journal/new-file.js'
import { migrate, packagedMigrations, pendingMigrations, tryMigrations } from '../schema/migrations.js'
import { connect } from './driver.js'
import { asDatabaseError, DatabaseError, isBusy } from './errors.js'
import { createPrivateFile } from './private-file.js'
import { copyOf, isOnReadOnlyMount } from './read-only-mount-copy.js'
import { keepTemporaryFilesBeside } from './temporary-folder.js'

/** A connection of better-sqlite3. */
export type Database = SQLite.Database

const busyTimeoutMs = 5000

/** About the size at which SQLite itself checkpoints a WAL, 1000 pages. */
const walBytesKept = 4 * 1024 * 1024

/**
 * Opens the database for writing: in WAL mode with synchronous NORMAL, foreign keys on and a busy
 * timeout of 5 s. If it or its folders don't exist, they are created so that only their owner may
 * read them. It is migrated if necessary; nothing is written to a database that is up to date. Any
 * number of processes may do this at once.
 *
 * @throws DatabaseError NOT_A_DATABASE, DATABASE_DAMAGED, DATABASE_UNWRITABLE, DATABASE_BUSY,
 *   DATABASE_TOO_NEW, MIGRATION_EDITED, MIGRATION_INCOMPLETE or MIGRATION_FAILED; then nothing
 *   stays open.
 */
export function openDatabase(path: string): Database {
  const file = filePath(path)
  makeWritable(file)
  return withConnection(file, {}, (database) => {
    switchToWal(database, file)
    database.pragma('synchronous = NORMAL')
    database.pragma('foreign_keys = ON')
    // Otherwise a -wal file that has grown during a long read, or a replay, would keep its size
    // while it is open.
    database.pragma(`journal_size_limit = ${walBytesKept}`)
    migrate(database, file)
  })
}

/**
 * Opens the database for reading. Never creates or migrates it. If it is on a read-only mount, a
 * private copy is read.
 *
 * @throws DatabaseError DATABASE_MISSING; DATABASE_BEHIND if `openDatabase` would migrate it;
 *   otherwise like `openDatabase`.
 */
export function openDatabaseReadOnly(path: string): Database {
  const file = filePath(path)
  if (isMissing(file)) {
    const text =
      'there is no such database: check the path, or run `request-journal project --once` to make it; without --once, the command keeps running and follows the journal'
    throw new DatabaseError('DATABASE_MISSING', file, text)
  }
  return withConnection(file, { readonly: true, fileMustExist: true }, (database) => {
    // Reads the ledger and the tables in one transaction, since another process may be migrating
    // the database.
    database.transaction(() => refuseBehind(database, file))()
  })
}

/**
 * Throws if migrations are pending. They are tried first, because the message advises running
 * `project`, and that must not fail because of them.
 */
function refuseBehind(database: Database, file: string): void {
  const pending = pendingMigrations(database, file)
  if (pending.length === 0) return
  tryMigrations(database, file, pending)
  const found =
    pending.length === packagedMigrations().length
      ? "it has none of request-journal's tables"
      : `it lacks ${pending.map((migration) => migration.fileName).join(', ')}`
  const advice = 'check the path, or run `request-journal project` once, which adds what it lacks'
  throw new DatabaseError('DATABASE_BEHIND', file, `${found}: ${advice}`)
}

function withConnection(
  file: string,
  options: SQLite.Options,
  prepare: (database: Database) => void,
): Database {
  let database: Database | undefined
  try {
    const isCopied = options.readonly === true && isOnReadOnlyMount(file)
    database = connect(isCopied ? copyOf(file) : file, { timeout: busyTimeoutMs, ...options })
    keepTemporaryFilesBeside(database, file)
    prepare(database)
    return database
  } catch (error) {
    database?.close()
    throw asDatabaseError(error, file)
  }
}

/**
 * Switches to WAL mode. If waiting could cause a deadlock, as when several processes switch a new
 * database at the same moment, SQLite refuses at once, whatever the busy timeout. Then this process
 * only has to try again.
 */
function switchToWal(database: Database, file: string): void {
  const deadline = performance.now() + busyTimeoutMs
  for (;;) {
    try {
      // Reads the mode first, so that nothing is written to a database that is in WAL mode.
      if (database.pragma('journal_mode', { simple: true }) === 'wal') return
      const mode = database.pragma('journal_mode = WAL', { simple: true })
      if (mode === 'wal') return
      const text = `the journal mode is ${String(mode)}, expected wal: put the database on a local file system`
      throw new DatabaseError('DATABASE_UNWRITABLE', file, text)
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 + Math.random() * 20)
    }
  }
}

function makeWritable(file: string): void {
  try {
    makeDirectory(dirname(file))
    // SQLite would silently open a write-protected file read-only, and fail at the first write.
    // access(2) doesn't open the file, so no lock of SQLite's is dropped.
    if (!isMissing(file)) accessSync(file, constants.W_OK)
    // The -wal and -shm files are beside the file that a symbolic link leads to.
    const directory = dirname(isMissing(file) ? file : realpathSync(file))
    accessSync(directory, constants.W_OK | constants.X_OK)
    if (isMissing(file)) createPrivateFile(file)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const text = `the database or its folder can't be written (${reason}): expected a file and a folder that this user may write to; correct their permissions, or name another file`
    throw new DatabaseError('DATABASE_UNWRITABLE', file, text, { cause: error })
  }
}

/**
 * Makes a folder and those above it, which only their owner may enter. It doesn't use mkdirSync's
 * `recursive`, because on Node 20 that never returns in a folder that can't contain others, such as
 * /proc.
 */
function makeDirectory(directory: string): void {
  if (!isMissing(directory)) return
  if (dirname(directory) !== directory) makeDirectory(dirname(directory))
  try {
    createDirectory(nodeFileSystem, directory, 0o700)
  } catch (error) {
    // Another process that opens the same new database made it first.
    if (isMissing(directory)) throw error
  }
}

function filePath(path: string): string {
  // SQLite takes these names for a private database that vanishes with the connection.
  if (path === '' || path === ':memory:') {
    const text = `expected the path of a file, found ${JSON.stringify(path)}: the projector and its readers share the database as a file`
    throw new DatabaseError('DATABASE_UNWRITABLE', path, text)
  }
  const file = resolve(path)
  if (statOf(file)?.isDirectory() !== true) return file
  const advice = `name a file, such as ${join(file, 'requests.db')}`
  const found = 'expected the path of a database file, found a directory'
  throw new DatabaseError('NOT_A_DATABASE', file, `${found}: ${advice}`)
}

function isMissing(file: string): boolean {
  return statOf(file) === undefined
}

/**
 * Returns null for a file in a folder that this user isn't allowed to enter, where nobody can tell
 * whether it exists. Whoever opens the file gets the reason.
 */
function statOf(file: string): Stats | undefined | null {
  try {
    return statSync(file, { throwIfNoEntry: false })
  } catch {
    return null
  }
}

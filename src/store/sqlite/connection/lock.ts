import { realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type SQLite from 'better-sqlite3'
import { MANIFEST_FILE } from '../../../journal/chain/manifest.js'
import { readSmallFile } from '../../../journal/file-system.js'
import { IDENTITY_FILE } from '../../../journal/journal-identity.js'
import { connect } from './driver.js'
import { asDatabaseError, DatabaseError, isBusy } from './errors.js'
import { createPrivateFile } from './private-file.js'

/** The work for which a lock is held. */
export type LockPurpose = 'project' | 'replay' | 'prune' | 'archive' | 'redate' | 'import'

/**
 * The sole right to change one database, or one journal's files. It ends with its process, however
 * the process dies.
 */
export interface Lock {
  /** Gives the lock back; a second call does nothing. */
  release(): void
}

// This isn't zero, because two processes that start together can each see the other's first step
// and both give up, and because isLocked holds a shared lock for an instant. Whoever is about to
// release the lock does so sooner than this.
const settleMs = 200

const maxPidFileBytes = 4096
const GROUP_WRITES = 0o020

// The connections of held locks are kept here, since a connection that is garbage collected is
// closed, and a caller that drops its Lock would lose it without noticing.
const held = new Set<SQLite.Database>()

/**
 * Takes the one lock of a database that exists. It is an exclusive transaction in the side file
 * `<database>.lock`, which is named after the real path, so that all symbolic links lead to the
 * same one. `<database>.pid` only lets people see who holds it.
 *
 * @throws DatabaseError PROJECTOR_RUNNING while anybody holds it, in this process or another;
 *   DATABASE_MISSING if the database doesn't exist; DATABASE_UNWRITABLE if the side file can't be
 *   made.
 */
export function acquireDatabaseLock(databasePath: string, purpose: LockPurpose): Lock {
  const realPath = existingRealPath(databasePath)
  if (realPath === undefined) {
    const text = 'there is no such database to lock: open it with openDatabase first'
    throw new DatabaseError('DATABASE_MISSING', databasePath, text)
  }
  const lockPath = `${realPath}.lock`
  const pidPath = `${realPath}.pid`
  let connection: SQLite.Database | undefined
  try {
    if (statSync(lockPath, { throwIfNoEntry: false }) === undefined) {
      createPrivateFile(lockPath, realPath, lockMode(realPath))
    }
    connection = connect(lockPath, { timeout: settleMs })
    // In WAL mode, "exclusive" would keep out writers only, and the lock would be in a -shm file
    // that others can remove.
    connection.pragma('journal_mode = DELETE')
    connection.exec('BEGIN EXCLUSIVE')
    // On a file that this user can't write, BEGIN EXCLUSIVE succeeds with a lock that others can
    // share. This changes nothing, but it has to write, which SQLite refuses on such a file.
    connection.pragma('incremental_vacuum(0)')
  } catch (error) {
    connection?.close()
    if (isBusy(error)) throw alreadyHeld(realPath, pidPath, purpose, error)
    throw asDatabaseError(error, lockPath)
  }
  held.add(connection)
  writePidFile(pidPath, purpose)
  return { release: () => release(connection, pidPath) }
}

/**
 * The mode of the side file. Whoever can read it could hold a shared lock on it, and so keep every
 * projector out. So the group gets access only if it may write the file that is locked, as the
 * group that shares a journal may: each of its users may import and archive.
 */
function lockMode(path: string): number {
  return (statSync(path).mode & GROUP_WRITES) === 0 ? 0o600 : 0o660
}

/**
 * Like `acquireDatabaseLock`, but takes the one lock that a command needs to remove files from a
 * journal. Its file is beside the manifest, which must exist.
 */
export function acquireJournalLock(directory: string, purpose: 'prune' | 'archive' | 'import'): Lock {
  return acquireDatabaseLock(join(directory, MANIFEST_FILE), purpose)
}

/**
 * Like `acquireDatabaseLock`, but takes the one lock that an import needs to add segments to a
 * journal. Its file is beside journal.json.
 */
export function acquireImportLock(directory: string): Lock {
  return acquireDatabaseLock(join(directory, IDENTITY_FILE), 'import')
}

/**
 * Whether any process holds the lock of a database; false if there is no database. Creates nothing.
 *
 * @throws DatabaseError when the side file can't be read.
 */
export function isLocked(databasePath: string): boolean {
  const realPath = existingRealPath(databasePath)
  if (realPath === undefined) return false
  const lockPath = `${realPath}.lock`
  if (statSync(lockPath, { throwIfNoEntry: false }) === undefined) return false
  let connection: SQLite.Database | undefined
  try {
    connection = connect(lockPath, { readonly: true, fileMustExist: true, timeout: 0 })
    // A shared lock is enough to notice an exclusive one, and shared ones don't disturb each other.
    connection.prepare('SELECT 1 FROM sqlite_master').get()
    return false
  } catch (error) {
    if (isBusy(error)) return true
    throw asDatabaseError(error, lockPath)
  } finally {
    connection?.close()
  }
}

/** Describes, for people, the process that holds the lock, or one that died while it did. */
export function describeHolder(databasePath: string): string | undefined {
  const realPath = existingRealPath(databasePath)
  return realPath === undefined ? undefined : readPidFile(`${realPath}.pid`)?.description
}

function release(connection: SQLite.Database, pidPath: string): void {
  if (!held.delete(connection)) return
  try {
    // Removes the file before the lock is released, since afterwards it could be the next holder's
    // file.
    rmSync(pidPath, { force: true })
  } catch {
    // A pid file that can't be removed is only text; the lock has to be released in any case.
  }
  connection.close()
}

function writePidFile(pidPath: string, purpose: LockPurpose): void {
  const holder = { pid: process.pid, hostname: hostname(), purpose, started_at: new Date().toISOString() }
  try {
    // A new file, because writing to an existing one would follow a symbolic link.
    rmSync(pidPath, { force: true })
    writeFileSync(pidPath, `${JSON.stringify(holder)}\n`, { flag: 'wx', mode: 0o644 })
  } catch {
    // The file is only text for a message; the lock holds without it.
  }
}

function alreadyHeld(
  databasePath: string,
  pidPath: string,
  wanted: LockPurpose,
  cause: unknown,
): DatabaseError {
  const holder = readPidFile(pidPath)
  const who = holder === undefined ? '' : ` (${holder.description})`
  const work = WORK[holder?.purpose as LockPurpose] ?? WORK.project
  const [name, doing] = work
  // A projector goes on until it is stopped, and does only its own work.
  const ofProjector = wanted === 'project' ? 'stop it, or let it do the work' : 'stop it first'
  const advice = work === WORK.project ? ofProjector : 'wait until it is done, or stop it'
  const text = `${name}${who} is already ${doing}: ${advice}`
  return new DatabaseError('PROJECTOR_RUNNING', databasePath, text, { cause })
}

const WORK: Record<LockPurpose, [name: string, doing: string]> = {
  project: ['a projector', 'working on this database'],
  replay: ['a replay', 'rebuilding this database'],
  prune: ['a prune', 'running here'],
  redate: ['a redate', 'running here'],
  archive: ['an archive run', 'working on this journal'],
  import: ['an import', 'working on this journal'],
}

function readPidFile(pidPath: string): { purpose: unknown; description: string } | undefined {
  try {
    const holder: unknown = JSON.parse(readSmallFile(pidPath, maxPidFileBytes))
    if (typeof holder !== 'object' || holder === null) return undefined
    const { pid, hostname, purpose, started_at } = holder as Record<string, unknown>
    if (typeof pid !== 'number' || typeof hostname !== 'string' || typeof started_at !== 'string') {
      return undefined
    }
    return { purpose, description: `pid ${pid} on host ${hostname}, started at ${started_at}` }
  } catch {
    // The file is missing, unreadable or half written. That the lock is held is known without it.
    return undefined
  }
}

function existingRealPath(databasePath: string): string | undefined {
  try {
    return realpathSync(databasePath)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    const text = `the path can't be followed (${code}): correct the permissions of its folders`
    throw new DatabaseError('DATABASE_UNWRITABLE', databasePath, text, { cause: error })
  }
}

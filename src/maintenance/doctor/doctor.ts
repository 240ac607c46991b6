import { statfsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { readIdentity } from '../../journal/journal-identity.js'
import { listSegments, type Segment } from '../../journal/segments.js'
import { databaseName } from '../../store/open-store.js'
import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import { type Database, openDatabaseReadOnly } from '../../store/sqlite/connection/database.js'
import { asDatabaseError } from '../../store/sqlite/connection/errors.js'
import type { DatabaseLocation } from '../database-location.js'
import { JournalTables, type KnownSegments } from '../journal-tables.js'
import { status } from '../status.js'
import { checkArchives } from './archives.js'
import { type DoctorCheck, type DoctorLevel, type Finding, failed, ok, runChecks } from './check.js'
import { checkAddedRows, checkDatabase, checkWal } from './database.js'
import { checkFileSystem, checkSpace, checkTemporaryFiles } from './disk.js'
import { checkManifest, checkMissing } from './manifest.js'
import { checkDatabasePermissions, checkJournalLock, checkJournalPermissions } from './permissions.js'
import { checkPositions } from './positions.js'
import { checkLag, checkProjector } from './projector.js'
import { rowChecks } from './row-checks.js'
import { checkSchema } from './schema.js'
import { checkDistrusted, checkImports, checkNames, checkNearMisses, checkTails } from './segments.js'
import { examineShared } from './shared/examine-shared.js'
import { checkUnknownMembers } from './unknown-members.js'
import { checkWatcher } from './watcher.js'

export type { DoctorCheck, DoctorLevel }

export interface DoctorOptions extends DatabaseLocation {
  /** The journal's directory; it needn't exist. */
  journal: string
  /** A path, where the file needn't exist, or a `postgres://` address. */
  database: string
}

/** What `doctor` prints with `--json`. */
export interface DoctorReport {
  /** No check found a problem. */
  healthy: boolean
  problems: number
  notes: number
  /** Absolute. */
  journal: string
  /** Absolute, or the address. */
  database: string
  /** In the order in which they were made. */
  checks: DoctorCheck[]
}

/**
 * Checks for everything that is known to go wrong, and says what to do. Writes nothing but a probe
 * file in the journal, which it removes. A file that is missing or can't be read is reported by a
 * check, never thrown as an error. Only a bounded part of journal and database is read.
 */
export async function doctor(options: DoctorOptions): Promise<DoctorReport> {
  const journal = resolve(options.journal)
  const database = databaseName(options.database)
  const now = Date.now()
  // The positions first: the journal only grows, so it is never shorter than positions that were
  // read before it.
  const projected = isPostgresAddress(database)
    ? await examineShared(options, journal, now)
    : await examineDatabase(database, now)
  const checks = [...(await examineJournal(journal, database, projected.known, now)), ...projected.checks]
  if (projected.known !== null && isThere(journal)) {
    const lag = async () => checkLag(await status({ ...options, journal }))
    checks.push(...(await runChecks([['lag', lag]])))
  }
  const count = (level: DoctorLevel) => checks.filter((check) => check.level === level).length
  const problems = count('problem')
  return { healthy: problems === 0, problems, notes: count('note'), journal, database, checks }
}

async function examineJournal(
  directory: string,
  database: string,
  known: KnownSegments | null,
  now: number,
): Promise<DoctorCheck[]> {
  const checks = await runChecks([['journal', () => checkIdentity(directory)]])
  if (!isThere(directory)) return checks
  const databasePath = isPostgresAddress(database) ? null : database
  let segments: Segment[]
  try {
    segments = listSegments(directory)
  } catch (error) {
    return [...checks, failed('segment_files', error)]
  }
  return [
    ...checks,
    ...(await runChecks([
      ['disk_space', () => checkSpace('journal', directory)],
      ['file_system', () => checkFileSystem('journal', statfsSync(directory).type)],
      ['permissions', () => checkJournalPermissions(directory, segments, databasePath)],
      ['journal_lock', () => checkJournalLock(directory)],
      ['segment_tails', () => checkTails(directory, segments)],
      ['unknown_members', () => checkUnknownMembers(directory, segments)],
      ['distrusted_segments', () => checkDistrusted(directory, segments)],
      ['segment_names', () => checkNames(segments, now)],
      ['unread_files', () => checkNearMisses(directory)],
      ['imports', () => checkImports(directory)],
      ['manifest', () => checkManifest(directory)],
      ['archives', () => checkArchives(directory, segments)],
      ['watcher', () => checkWatcher(directory)],
      ['missing_segments', () => checkMissing(directory, segments, known)],
      ['positions', () => (known === null ? [] : checkPositions(directory, segments, known))],
    ])),
  ]
}

function checkIdentity(directory: string): Finding {
  const { journal_id, created_at } = readIdentity(directory)
  return ok(`${journal_id}, since ${created_at}`)
}

async function examineDatabase(
  databasePath: string,
  now: number,
): Promise<{ checks: DoctorCheck[]; known: KnownSegments | null }> {
  let database: Database
  try {
    database = openDatabaseReadOnly(databasePath)
  } catch (error) {
    return { checks: [failed('database', error)], known: null }
  }
  try {
    const tables = new JournalTables(database, '')
    const known = tables.knownSegments()
    const checks = await runChecks([
      ['disk_space', () => checkSpace('database', dirname(databasePath))],
      ['file_system', () => checkFileSystem('database', statfsSync(dirname(databasePath)).type)],
      ['temporary_files', () => checkTemporaryFiles(databasePath)],
      ['permissions', () => checkDatabasePermissions(databasePath)],
      ['schema', () => checkSchema(database)],
      ['database', () => checkDatabase(database, databasePath)],
      ['wal', () => checkWal(databasePath)],
      ...rowChecks(tables, known, now),
      ['added_rows', () => checkAddedRows(database)],
      ['projector', () => checkProjector(databasePath)],
    ])
    return { checks, known }
  } catch (error) {
    return { checks: [failed('database', asDatabaseError(error, databasePath))], known: null }
  } finally {
    database.close()
  }
}

function isThere(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    // The check of journal.json reports it.
    return false
  }
}

import { statfsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { readIdentity } from '../../journal/journal-identity.js'
import { listSegments, type Segment } from '../../journal/segments.js'
import { openDatabaseReadOnly } from '../../queries/open-database.js'
import { asStoreError, databaseName } from '../../store/open-store.js'
import { DEFAULT_SCHEMA, isPostgresAddress } from '../../store/postgres/connection/address.js'
import type { PostgresQueryConnection } from '../../store/postgres/query/query-connection.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import type { DatabaseLocation } from '../database-location.js'
import { JournalTables, type KnownSegments } from '../journal-tables.js'
import { status } from '../status.js'
import { checkArchives } from './archives.js'
import {
  type DoctorCheck,
  type DoctorLevel,
  type Finding,
  failed,
  type NamedCheck,
  ok,
  runChecks,
} from './check.js'
import { checkCompletions, checkHeld, checkStreams } from './completions.js'
import { checkAddedRows, checkDatabase, checkRejected, checkWal } from './database.js'
import { checkFileSystem, checkSpace, checkTemporaryFiles } from './disk.js'
import { checkUsage } from './inconsistent-usage.js'
import { checkManifest, checkMissing } from './manifest.js'
import { checkDatabasePermissions, checkJournalLock, checkJournalPermissions } from './permissions.js'
import { checkPositions } from './positions.js'
import { checkLag, checkLines, checkProjector } from './projector.js'
import { checkSchema } from './schema.js'
import { checkDistrusted, checkImports, checkNames, checkNearMisses, checkTails } from './segments.js'
import { checkChunks } from './shared/chunks.js'
import { checkPartitions } from './shared/partitions.js'
import { checkSharedProjector, checkWaiting } from './shared/projector.js'
import { checkRights } from './shared/rights.js'
import { checkClock, checkServer, checkSharedSchema } from './shared/server.js'
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
  const projected = await examineDatabase({ ...options, database }, journal, now)
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

/** Checks a journal's part of a database, and the file or the server. */
async function examineDatabase(
  { database, schema = DEFAULT_SCHEMA }: DatabaseLocation,
  journal: string,
  now: number,
): Promise<{ checks: DoctorCheck[]; known: KnownSegments | null }> {
  const isShared = isPostgresAddress(database)
  const waiting = () => checkWaiting(database, journal, now)
  let opened: Database | PostgresQueryConnection
  try {
    opened = openDatabaseReadOnly(database, { schema })
  } catch (error) {
    const checks = await runChecks(isShared ? [['projector', () => waiting() ?? []]] : [])
    return { checks: [failed('database', error), ...checks], known: null }
  }
  try {
    const tables = new JournalTables(opened, journalIdOf(journal))
    const known = tables.knownSegments()
    const file = isShared ? null : (opened as Database)
    const checks = await runChecks([
      ...(file === null ? serverChecks(tables, schema, now) : fileChecks(file, database)),
      ['rejected_lines', () => checkRejected(tables)],
      ['held_completions', () => checkHeld(tables, now)],
      ['completions', () => checkCompletions(tables, known.positions)],
      ['unfinished_streams', () => checkStreams(tables, now)],
      ['inconsistent_usage', () => checkUsage(tables)],
      ['lines', () => checkLines(known.positions)],
      ['added_rows', () => (file === null ? [] : checkAddedRows(file))],
      [
        'projector',
        () => (isShared ? (waiting() ?? checkSharedProjector(tables, schema)) : checkProjector(database)),
      ],
    ])
    return { checks, known }
  } catch (error) {
    return { checks: [failed('database', asStoreError(error, database))], known: null }
  } finally {
    opened.close()
  }
}

function fileChecks(database: Database, path: string): NamedCheck[] {
  return [
    ['disk_space', () => checkSpace('database', dirname(path))],
    ['file_system', () => checkFileSystem('database', statfsSync(dirname(path)).type)],
    ['temporary_files', () => checkTemporaryFiles(path)],
    ['permissions', () => checkDatabasePermissions(path)],
    ['schema', () => checkSchema(database)],
    ['database', () => checkDatabase(database, path)],
    ['wal', () => checkWal(path)],
  ]
}

function serverChecks(tables: JournalTables, schema: string, now: number): NamedCheck[] {
  const { database } = tables
  return [
    ['server', () => checkServer(database)],
    ['clock', () => checkClock(database)],
    ['schema', () => checkSharedSchema(database, schema)],
    ['rights', () => checkRights(database, schema)],
    ['partitions', () => checkPartitions(database, now)],
    ['chunks', () => checkChunks(tables)],
  ]
}

/** The journal's id; '' if it can't be read, which the check of the journal reports. */
function journalIdOf(journal: string): string {
  try {
    return readIdentity(journal).journal_id
  } catch {
    return ''
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

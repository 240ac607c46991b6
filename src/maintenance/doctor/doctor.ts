import { statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { readIdentity } from '../../journal/identity.js'
import { listSegments, type Segment } from '../../journal/segments.js'
import { type Database, openDatabaseReadOnly } from '../../store/sqlite/connection/database.js'
import { asDatabaseError } from '../../store/sqlite/connection/errors.js'
import { acceptedMissing } from '../../store/sqlite/missing-segments.js'
import { readPositions } from '../../store/sqlite/positions.js'
import { prunedThrough } from '../../store/sqlite/pruned.js'
import { status } from '../status.js'
import { checkArchives } from './archives.js'
import { attempt, type DoctorCheck, type DoctorLevel, failed, ok } from './check.js'
import { checkDatabase } from './database.js'
import { checkFileSystem, checkSpace, checkTemporaryFiles } from './disk.js'
import { checkDatabasePermissions, checkJournalLock, checkJournalPermissions } from './permissions.js'
import {
  checkLag,
  checkLines,
  checkMissing,
  checkPositions,
  checkProjector,
  type KnownToDoctor,
} from './projection.js'
import { checkSchema } from './schema.js'
import { checkSegments } from './segments.js'
import { checkWatcher } from './watcher.js'

export type { DoctorCheck, DoctorLevel }

export interface DoctorOptions {
  /** The journal's directory; it need not be there. */
  journal: string
  /** The database file; it need not be there. */
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
  /** Absolute. */
  database: string
  /** In the order in which they were made. */
  checks: DoctorCheck[]
}

/**
 * Looks at everything that is known to go wrong, and says what to do. Changes nothing but a probe file in the journal,
 * which it removes. What is missing or can't be read is a finding, never an error; reads a bounded part of journal and
 * database.
 */
export async function doctor(options: DoctorOptions): Promise<DoctorReport> {
  const journal = resolve(options.journal)
  const database = resolve(options.database)
  const now = Date.now()
  // The positions first: the journal only grows, so what is read after them is never shorter than they are.
  const projected = examineDatabase(database, now)
  const checks = [...(await examineJournal(journal, projected.known, now)), ...projected.checks]
  if (projected.known !== null && isThere(journal)) checks.push(await lagOf(journal, database))
  const count = (level: DoctorCheck['level']) => checks.filter((check) => check.level === level).length
  const problems = count('problem')
  return { healthy: problems === 0, problems, notes: count('note'), journal, database, checks }
}

async function examineJournal(
  directory: string,
  known: KnownToDoctor | null,
  now: number,
): Promise<DoctorCheck[]> {
  const checks = attempt('journal', () => {
    const { journal_id, created_at } = readIdentity(directory)
    return ok('journal', `${journal_id}, since ${created_at}`)
  })
  if (!isThere(directory)) return checks
  let segments: Segment[]
  try {
    segments = listSegments(directory)
  } catch (error) {
    return [...checks, failed('segment_files', error)]
  }
  return [
    ...checks,
    ...attempt('disk_space', () => checkSpace('journal', directory)),
    ...attempt('file_system', () => checkFileSystem('journal', directory)),
    ...attempt('permissions', () => checkJournalPermissions(directory, segments)),
    ...attempt('journal_lock', () => checkJournalLock(directory)),
    ...checkSegments(directory, segments, now),
    await archivesOf(directory, segments),
    await checkWatcher(directory),
    ...attempt('missing_segments', () => checkMissing(directory, segments, known)),
    ...(known === null ? [] : attempt('positions', () => checkPositions(directory, segments, known))),
  ]
}

function examineDatabase(path: string, now: number): { checks: DoctorCheck[]; known: KnownToDoctor | null } {
  let database: Database
  try {
    database = openDatabaseReadOnly(path)
  } catch (error) {
    return { checks: [failed('database', error)], known: null }
  }
  let known: KnownToDoctor | null = null
  try {
    const positions = readPositions(database)
    known = { positions, prunedThrough: prunedThrough(database), accepted: acceptedMissing(database) }
    const checks = [
      ...attempt('disk_space', () => checkSpace('database', dirname(path))),
      ...attempt('file_system', () => checkFileSystem('database', dirname(path))),
      ...attempt('temporary_files', () => checkTemporaryFiles(path)),
      ...attempt('permissions', () => checkDatabasePermissions(path)),
      ...attempt('schema', () => checkSchema(database)),
      ...checkDatabase(database, path, now),
      checkLines(positions),
      ...attempt('projector', () => checkProjector(path)),
    ]
    return { checks, known }
  } catch (error) {
    return { checks: [failed('database', asDatabaseError(error, path))], known }
  } finally {
    database.close()
  }
}

async function archivesOf(directory: string, segments: readonly Segment[]): Promise<DoctorCheck> {
  try {
    return await checkArchives(directory, segments)
  } catch (error) {
    return failed('archives', error)
  }
}

async function lagOf(journal: string, database: string): Promise<DoctorCheck> {
  try {
    return checkLag(await status({ journal, database }))
  } catch (error) {
    return failed('lag', error)
  }
}

function isThere(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    // Said by the check of journal.json.
    return false
  }
}

import { existsSync, linkSync, renameSync, rmSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { nodeFileSystem, syncDirectory } from '../journal/file-system.js'
import { differencesBetween, type TableDifference } from '../store/sqlite/compare/databases.js'
import { copyDatabase } from '../store/sqlite/connection/copy-database.js'
import { DatabaseError } from '../store/sqlite/connection/errors.js'
import { acquireDatabaseLock } from '../store/sqlite/connection/lock.js'
import type { ProjectResult } from './projector.js'

/**
 * The endings of the names of a database and of the files that SQLite and this program put beside
 * it.
 */
const BESIDE = ['', '-wal', '-shm', '-journal', '.lock']

/**
 * Makes a rebuilt database at a new path, and leaves the old one as it is. The new one is built
 * under the name `<into>.replay` and gets its own name once it is complete, so the next run can
 * remove what a killed run has left.
 *
 * @param rebuild replays the journal into the database at the path that it is given.
 * @param isCompared whether to return how the rebuilt database differs from the old one.
 * @throws DatabaseError DATABASE_UNWRITABLE if there is a file at `into` already, or too little
 *   room on its disk.
 */
export async function replayInto(
  { database, into, isCompared }: { database: string; into: string; isCompared: boolean },
  rebuild: (databasePath: string) => Promise<ProjectResult>,
): Promise<ProjectResult & { differences?: TableDifference[] }> {
  const [databasePath, target] = [resolve(database), resolve(into)]
  checkIsFree(target)
  const temporary = `${target}.replay`
  removeLeftover(temporary)
  try {
    // The rebuild starts from a copy, because a replay keeps the operator's own tables, the
    // counters and the rows from before the journal.
    if (isCompared || existsSync(databasePath)) copyDatabase(databasePath, temporary)
    const result = await rebuild(temporary)
    const differences = isCompared ? { differences: differencesBetween(databasePath, temporary) } : {}
    moveInto(temporary, target)
    return { ...result, ...differences }
  } finally {
    removeAll(temporary)
  }
}

function checkIsFree(target: string): void {
  if (!existsSync(target)) return
  const text = 'found a file, expected none: a rebuilt database is made at a new path'
  throw new DatabaseError('DATABASE_UNWRITABLE', target, `${text}; name another path, or remove this file`)
}

/** @throws DatabaseError PROJECTOR_RUNNING while another replay is writing the file. */
function removeLeftover(temporary: string): void {
  if (existsSync(temporary)) acquireDatabaseLock(temporary, 'replay').release()
  removeAll(temporary)
}

function removeAll(databasePath: string): void {
  for (const suffix of BESIDE) rmSync(`${databasePath}${suffix}`, { force: true })
}

/**
 * Moves a file. If that works by a hard link, it never overwrites a file that another process has
 * put there; otherwise a file that appears at the last moment is overwritten.
 */
function moveInto(temporary: string, target: string): void {
  try {
    linkSync(temporary, target)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') checkIsFree(target)
    // The link was refused, for example by a file system without hard links.
    renameSync(temporary, target)
  }
  syncDirectory(nodeFileSystem, dirname(target))
}

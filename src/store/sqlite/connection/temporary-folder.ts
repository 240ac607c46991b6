import { accessSync, constants, realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Database } from './database.js'

/**
 * Makes SQLite put its temporary files beside the database. Sorting an index of millions of rows
 * takes as much space as the index, and a system's temporary folder is often small, in memory, or
 * read-only. SQLITE_TMPDIR overrides this. The setting applies to the whole process, so the
 * database that was opened last decides.
 */
export function keepTemporaryFilesBeside(database: Database, file: string): void {
  if (process.env['SQLITE_TMPDIR'] !== undefined) return
  const folder = folderOf(file)
  if (folder === database.pragma('temp_store_directory', { simple: true })) return
  try {
    database.pragma(`temp_store_directory = '${folder.replaceAll("'", "''")}'`)
  } catch {
    // The process isn't allowed to write to that folder, so SQLite uses the usual ones.
  }
}

/**
 * The folder of SQLite's temporary files for this database; null if no folder may be written to.
 */
export function temporaryFolder(file: string): string | null {
  const [chosen, ...others] = USUAL_FOLDERS
  return [chosen ?? folderOf(file), ...others].find(isUsable) ?? null
}

/**
 * The folders that SQLite tries when none was set, in its order: https://sqlite.org/tempfiles.html,
 * "Temporary file storage locations". The environment counts as it was when the process opened its
 * first database.
 */
const USUAL_FOLDERS = [
  process.env['SQLITE_TMPDIR'],
  process.env['TMPDIR'],
  '/var/tmp',
  '/usr/tmp',
  '/tmp',
  '.',
]

function folderOf(file: string): string {
  try {
    return dirname(realpathSync(file))
  } catch {
    return dirname(file)
  }
}

function isUsable(folder: string | undefined): folder is string {
  if (folder === undefined) return false
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return statSync(folder).isDirectory()
  } catch {
    return false
  }
}

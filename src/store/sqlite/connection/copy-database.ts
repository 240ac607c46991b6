import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Database, openDatabaseReadOnly } from './database.js'
import { asDatabaseError, DatabaseError } from './errors.js'
import { createPrivateFile } from './private-file.js'

/**
 * Copies a database as it is at this moment, even while others write to it, to a file that only its
 * owner may read.
 *
 * @throws DatabaseError like `openDatabaseReadOnly`; DATABASE_UNWRITABLE if there is too little
 *   room for it.
 */
export function copyDatabase(databasePath: string, target: string): void {
  const database = openDatabaseReadOnly(databasePath)
  try {
    checkSpace(dirname(target), rebuiltBytes(database), target)
    createPrivateFile(target, databasePath)
    database.prepare('VACUUM INTO ?').run(target)
  } catch (error) {
    throw asDatabaseError(error, target)
  } finally {
    database.close()
  }
}

/** About how many bytes a rebuilt copy of this database would take. */
export function rebuiltBytes(database: Database): number {
  const pages = (name: string) => Number(database.pragma(`main.${name}`, { simple: true }))
  const used = (pages('page_count') - pages('freelist_count')) * pages('page_size')
  const sum = database.prepare<[], number | null>('SELECT sum(projected_bytes) FROM main.journal_segments')
  return Math.max(used + LEAST_BYTES, databaseBytes(sum.pluck().get() ?? 0))
}

/**
 * About how many bytes a database takes after this many bytes of a journal were projected into it.
 */
export function databaseBytes(projectedBytes: number): number {
  return projectedBytes * DATABASE_SHARE + LEAST_BYTES
}

/** Rows take about half of their lines' bytes, and sorting their index a little more. */
const DATABASE_SHARE = 0.6
const LEAST_BYTES = 16 * 1024 * 1024

/**
 * Throws if there isn't enough room for a database, before anything is written.
 *
 * @param file the database that the message names.
 * @throws DatabaseError DATABASE_UNWRITABLE
 */
export function checkSpace(folder: string, neededBytes: number, file: string): void {
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize >= neededBytes) return
  const found = `found ${inMebibytes(bavail * bsize)} of free space in ${folder}, expected ${inMebibytes(neededBytes)} for a rebuilt database`
  const advice = 'free some space, or use another folder (SQLITE_TMPDIR for a temporary one)'
  throw new DatabaseError('DATABASE_UNWRITABLE', file, `${found}: ${advice}`)
}

function inMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 / 1024).toLocaleString('en-US')} MiB`
}

import type { SegmentPosition } from '../store/positions.js'
import { type Database, openDatabaseReadOnly } from '../store/sqlite/connection/database.js'
import { asDatabaseError } from '../store/sqlite/connection/errors.js'
import { acceptedMissing, prunedThrough, readPositions } from '../store/sqlite/positions.js'

export type KnownSegments = ReturnType<typeof knownSegments>

/** Without a database. */
export const NOTHING_KNOWN: KnownSegments = { positions: [], prunedThrough: 0, accepted: new Set() }

/** Reads what a database knows of a journal's segments. */
export function knownSegments(database: Database) {
  return {
    positions: readPositions(database),
    prunedThrough: prunedThrough(database),
    accepted: acceptedMissing(database),
  }
}

/** @throws DatabaseError if the database can't be read. */
export function positionsIn(databasePath: string): SegmentPosition[] {
  const database = openDatabaseReadOnly(databasePath)
  try {
    return readPositions(database)
  } catch (error) {
    throw asDatabaseError(error, databasePath)
  } finally {
    database.close()
  }
}

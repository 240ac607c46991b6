import { type Database, openDatabaseReadOnly } from '../store/sqlite/connection/database.js'
import { asDatabaseError } from '../store/sqlite/connection/errors.js'

/**
 * Opens a database read-only, and reads something from it.
 *
 * @throws DatabaseError if it can't be opened or read.
 */
export function readFrom<Found>(databasePath: string, read: (database: Database) => Found): Found {
  const database = openDatabaseReadOnly(databasePath)
  try {
    return read(database)
  } catch (error) {
    throw asDatabaseError(error, databasePath)
  } finally {
    database.close()
  }
}

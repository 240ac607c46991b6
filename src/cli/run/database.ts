import type { Database } from '../../store/sqlite/connection/database.js'

/** Opens a database read-only and asks it something. Errors of SQLite become DatabaseErrors. */
export async function withDatabase<T>(
  databasePath: string,
  ask: (database: Database) => T | Promise<T>,
): Promise<T> {
  const { openDatabaseReadOnly } = await import('../../store/sqlite/connection/database.js')
  const { asDatabaseError } = await import('../../store/sqlite/connection/errors.js')
  const database = openDatabaseReadOnly(databasePath)
  try {
    return await ask(database)
  } catch (error) {
    throw asDatabaseError(error, databasePath)
  } finally {
    database.close()
  }
}

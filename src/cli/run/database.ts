import type { Database } from '../../store/sqlite/connection/database.js'

/** Asks a database something, read-only. Whatever SQLite then says of the file becomes a DatabaseError. */
export async function withDatabase<T>(path: string, ask: (database: Database) => T | Promise<T>): Promise<T> {
  const { openDatabaseReadOnly } = await import('../../store/sqlite/connection/database.js')
  const { asDatabaseError } = await import('../../store/sqlite/connection/errors.js')
  const database = openDatabaseReadOnly(path)
  try {
    return await ask(database)
  } catch (error) {
    throw asDatabaseError(error, path)
  } finally {
    database.close()
  }
}

import type { Database } from '../storage/database.js'

/** Asks a database something, read-only. Whatever SQLite then says of the file becomes a DatabaseError. */
export async function withDatabase<T>(path: string, ask: (database: Database) => T | Promise<T>): Promise<T> {
  const { openDatabaseReadOnly } = await import('../storage/database.js')
  const { asDatabaseError } = await import('../storage/errors.js')
  const database = openDatabaseReadOnly(path)
  try {
    return await ask(database)
  } catch (error) {
    throw asDatabaseError(error, path)
  } finally {
    database.close()
  }
}

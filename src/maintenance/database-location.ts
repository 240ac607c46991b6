import { openDatabaseReadOnly } from '../queries/open-database.js'
import { asStoreError } from '../store/open-store.js'
import type { QueryDatabase } from '../store/query-database.js'

/** Where something is read from. */
export interface DatabaseLocation {
  /** A path, or a `postgres://` address. */
  database: string
  /**
   * The schema of the tables in PostgreSQL.
   * @default 'request_journal'
   */
  schema?: string | undefined
}

/**
 * Opens a database read-only, and reads something from it.
 *
 * @throws DatabaseError or PostgresError if it can't be opened or read.
 */
export function readFrom<Found>(
  { database, schema }: DatabaseLocation,
  read: (database: QueryDatabase) => Found,
): Found {
  const opened = openDatabaseReadOnly(database, { schema })
  try {
    return read(opened)
  } catch (error) {
    throw asStoreError(error, database)
  } finally {
    opened.close()
  }
}

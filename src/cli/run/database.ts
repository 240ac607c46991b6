import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { withElapsedTime } from '../output/elapsed.js'

/**
 * Opens a database read-only and asks it something. Errors of its driver become DatabaseErrors or
 * PostgresErrors.
 *
 * @param schema the schema of the tables in PostgreSQL.
 */
export async function withDatabase<T>(
  { db, schema }: { db: string; schema?: string },
  ask: (database: QueryDatabase) => T | Promise<T>,
): Promise<T> {
  const { asStoreError } = await import('../../store/open-store.js')
  const database = await open(db, schema)
  try {
    return await ask(database)
  } catch (error) {
    throw asStoreError(error, db)
  } finally {
    database.close()
  }
}

/** As {@link withDatabase}; on a terminal it says how long the answer takes. */
export function askDatabase<T>(
  flags: { db: string; schema?: string },
  ask: (database: QueryDatabase) => T | Promise<T>,
): Promise<T> {
  return withElapsedTime(() => withDatabase(flags, ask))
}

async function open(db: string, schema: string | undefined): Promise<QueryDatabase & { close(): unknown }> {
  if (isPostgresAddress(db)) {
    const { PostgresQueryConnection } = await import('../../store/postgres/query/query-connection.js')
    return new PostgresQueryConnection(db, schema)
  }
  const { openDatabaseReadOnly } = await import('../../store/sqlite/connection/database.js')
  return openDatabaseReadOnly(db)
}

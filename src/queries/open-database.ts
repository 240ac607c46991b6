import { isPostgresAddress } from '../store/postgres/connection/address.js'
import { PostgresQueryConnection } from '../store/postgres/query/query-connection.js'
import { type Database, openDatabaseReadOnly as openFile } from '../store/sqlite/connection/database.js'

export interface OpenDatabaseOptions {
  /** The schema of the tables in PostgreSQL. @default 'request_journal' */
  schema?: string | undefined
}

type PostgresAddressText = `postgres://${string}` | `postgresql://${string}`

/**
 * Opens a database to read from it: the file at a path, or the tables that many journals share in
 * PostgreSQL. Opening never creates or migrates it.
 *
 * @throws DatabaseError DATABASE_MISSING, DATABASE_BEHIND, NOT_A_DATABASE, …
 * @throws PostgresError SERVER_AWAY, LOGIN_REFUSED, SCHEMA_MISSING, …
 */
export function openDatabaseReadOnly(
  address: PostgresAddressText,
  options?: OpenDatabaseOptions,
): PostgresQueryConnection
export function openDatabaseReadOnly(path: string, options?: OpenDatabaseOptions): Database
export function openDatabaseReadOnly(
  database: string,
  { schema }: OpenDatabaseOptions = {},
): Database | PostgresQueryConnection {
  return isPostgresAddress(database) ? new PostgresQueryConnection(database, schema) : openFile(database)
}

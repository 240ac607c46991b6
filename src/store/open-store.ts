import { resolve } from 'node:path'
import { VERSION } from '../package/package-files.js'
import type { Store } from './port.js'
import { isPostgresAddress } from './postgres/connection/address.js'
import { asPostgresError } from './postgres/connection/errors.js'
import { asDatabaseError } from './sqlite/connection/errors.js'

export interface OpenStoreOptions {
  purpose: 'project' | 'replay' | 'prune'
  /** The journal whose rows are written. */
  journalId: string
  /**
   * The schema of the tables in PostgreSQL.
   * @default 'request_journal'
   */
  schema?: string | undefined
  /**
   * How long to wait for another program's lock, in milliseconds.
   * @default what the store sets: 5 s in SQLite, no limit in PostgreSQL
   */
  busyTimeoutMs?: number | undefined
  /**
   * Whether PostgreSQL keeps the journal's bytes too, for `restore`.
   * @default true
   */
  chunks?: boolean | undefined
}

/**
 * Opens a store: SQLite's file at a path, which is created if it doesn't exist, or the tables in
 * PostgreSQL at a `postgres://` address. Only the store that is asked for is loaded.
 *
 * @throws DatabaseError or PostgresError, as a rejection: see `SqliteStore` and
 *   `PostgresStore.open`.
 */
export async function openStore(database: string, options: OpenStoreOptions): Promise<Store> {
  const { purpose, journalId, schema, busyTimeoutMs, chunks } = options
  if (isPostgresAddress(database)) {
    const { PostgresStore } = await import('./postgres/postgres-store.js')
    return await PostgresStore.open({
      address: database,
      journalId,
      schema,
      purpose,
      lockTimeoutMs: busyTimeoutMs,
      chunks,
      version: VERSION,
    })
  }
  const { SqliteStore } = await import('./sqlite/sqlite-store.js')
  return new SqliteStore(resolve(database), { purpose, busyTimeoutMs })
}

/**
 * Returns a database's name for messages and comparisons: an absolute path, or an address as it is.
 */
export function databaseName(database: string): string {
  return isPostgresAddress(database) ? database : resolve(database)
}

/** Returns an error of a driver as one that says what to do, and any other error as it is. */
export function asStoreError(error: unknown, database: string): unknown {
  return isPostgresAddress(database) ? asPostgresError(error, database) : asDatabaseError(error, database)
}

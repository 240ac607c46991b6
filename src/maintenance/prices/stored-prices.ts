import { existsSync } from 'node:fs'
import { readIdentity } from '../../journal/journal-identity.js'
import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import type { StoredPrices } from '../../store/price-row.js'
import { readPrices } from '../../store/sqlite/price-queries.js'
import { type DatabaseLocation, readFrom } from '../database-location.js'
import { JournalTables } from '../journal-tables.js'

export interface StoredPricesOptions extends DatabaseLocation {
  /**
   * A path, where the file needn't exist, or a `postgres://` address: the database has the prices
   * in force.
   */
  database: string
  /**
   * The directory of the journal that the events are for. Needed with PostgreSQL, where each
   * journal has prices of its own; a file has those of one.
   */
  journal?: string | undefined
}

/**
 * Reads the prices and rates of a journal, and whatever else `read` takes from its tables.
 *
 * @returns null if the file doesn't exist.
 * @throws TypeError without a journal for PostgreSQL; DatabaseError; PostgresError; JournalError.
 */
export function readStoredPrices<Found>(
  { database, schema, journal }: StoredPricesOptions,
  read: (tables: JournalTables, stored: StoredPrices, journalId: string) => Found,
): Found | null {
  const isShared = isPostgresAddress(database)
  if (!isShared && !existsSync(database)) return null
  if (isShared && journal === undefined) {
    throw new TypeError(
      "Option 'journal': found none, expected the directory of the journal that has the prices",
    )
  }
  const journalId = isShared ? readIdentity(journal ?? '').journal_id : ''
  return readFrom({ database, schema }, (opened) => {
    const tables = new JournalTables(opened, journalId)
    const { sql, values } = tables.condition
    return read(tables, readPrices(opened, sql, ...values), journalId)
  })
}

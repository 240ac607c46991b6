import { resolve } from 'node:path'
import type { JournalIdentity } from '../journal/journal-identity.js'
import { VERSION } from '../package/package-files.js'
import { repriceAll } from '../projection/repricing.js'
import { SmallFileCopies } from '../projection/small-file-copies.js'
import { openDatabaseReadOnly } from '../queries/open-database.js'
import { isPostgresAddress } from '../store/postgres/connection/address.js'
import type { RowExtent, RowPruner } from '../store/row-pruner.js'
import { openDatabase } from '../store/sqlite/connection/database.js'
import { asDatabaseError } from '../store/sqlite/connection/errors.js'
import { acquireDatabaseLock } from '../store/sqlite/connection/lock.js'
import { checkUnreferenced } from '../store/sqlite/foreign-references.js'
import { connectedSegments, SqlitePruner } from '../store/sqlite/sqlite-pruner.js'
import { SqliteStore } from '../store/sqlite/sqlite-store.js'
import type { DatabaseLocation } from './database-location.js'
import { JournalTables } from './journal-tables.js'

/**
 * What is removed: the rows of segments, and the bytes that PostgreSQL keeps of segments up to one.
 */
export interface PruneExtent extends RowExtent {
  /** 0: what PostgreSQL keeps of the journal's bytes stays. */
  chunksThrough: number
}

/** The database that a journal's oldest rows are taken out of. No projector may work on it. */
export interface PruneTarget {
  readonly tables: JournalTables
  /** @throws DatabaseError ROWS_REFERRED_TO */
  checkUnreferenced(extent: RowExtent): void
  /**
   * Whether rows of this imported segment can be removed although rows of segments before it stay.
   */
  mayPruneImport(segmentId: number): boolean
  /** Only for a target that was opened for writing. */
  pruner(extent: PruneExtent): Promise<RowPruner>
  /** Stores the journal's small files, which a prune changes, if PostgreSQL keeps its bytes. */
  keepFiles(directory: string): Promise<void>
  close(): Promise<void>
}

/**
 * Opens a database for a prune.
 *
 * @param isDryRun whether it is only read: then nothing is locked.
 * @throws DatabaseError, PostgresError.
 */
export async function openPruneTarget(
  from: DatabaseLocation,
  identity: JournalIdentity,
  isDryRun: boolean,
): Promise<PruneTarget> {
  return isPostgresAddress(from.database)
    ? await openShared(from, identity, isDryRun)
    : await openFile(resolve(from.database), identity, isDryRun)
}

async function openFile(
  path: string,
  { journal_id: journalId }: JournalIdentity,
  isDryRun: boolean,
): Promise<PruneTarget> {
  // A prune of nothing must not create a database.
  openDatabaseReadOnly(path).close()
  if (!isDryRun) await repriceFile(path)
  const database = openDatabase(path)
  try {
    const lock = isDryRun ? null : acquireDatabaseLock(path, 'prune')
    let connected: ReadonlySet<number> | null = null
    return {
      tables: new JournalTables(database, journalId),
      checkUnreferenced: (extent) => checkUnreferenced(database, extent),
      mayPruneImport: (segmentId) => {
        connected ??= connectedSegments(database)
        return !connected.has(segmentId)
      },
      pruner: async (extent) => new SqlitePruner(database, extent),
      keepFiles: async () => {},
      close: async () => {
        database.close()
        lock?.release()
      },
    }
  } catch (error) {
    database.close()
    throw asDatabaseError(error, path)
  }
}

/** Finishes a repricing first, so that rows are removed with the costs that the sums include. */
async function repriceFile(path: string): Promise<void> {
  const store = new SqliteStore(path, { purpose: 'prune' })
  try {
    await repriceAll(store)
  } catch (error) {
    throw asDatabaseError(error, path)
  } finally {
    await store.close()
  }
}

async function openShared(
  { database: address, schema }: DatabaseLocation,
  { journal_id: journalId }: JournalIdentity,
  isDryRun: boolean,
): Promise<PruneTarget> {
  const store = isDryRun ? null : await openStore()
  try {
    if (store !== null) await repriceAll(store)
    const database = openDatabaseReadOnly(address, { schema })
    return {
      tables: new JournalTables(database, journalId),
      checkUnreferenced: () => {},
      // A replay into PostgreSQL numbers the rows of a journal without gaps.
      mayPruneImport: () => false,
      pruner: async (extent) => {
        if (store === null) throw new Error('unreachable: a dry run removes nothing')
        return await store.pruner(extent.through, extent.chunksThrough)
      },
      keepFiles: async (directory) => {
        if (store !== null) await new SmallFileCopies(directory).keep(store)
      },
      close: async () => {
        database.close()
        await store?.close()
      },
    }
  } catch (error) {
    await store?.close()
    throw error
  }

  async function openStore() {
    const { PostgresStore } = await import('../store/postgres/postgres-store.js')
    return await PostgresStore.open({ address, journalId, schema, purpose: 'prune', version: VERSION })
  }
}

import type { CountedRequest } from '../../folds/request.js'
import type { RebuildOptions, RebuildTransaction } from '../port.js'
import type { SegmentPosition } from '../positions.js'
import { BulkTables } from './bulk-tables.js'
import type { Database } from './connection/database.js'
import { acceptMissing } from './missing-segments.js'
import { keepOddCompletions } from './positions.js'
import { carriedCompletions, prunedThrough } from './pruned.js'
import { HeldReferences } from './references.js'
import { clearProjections, rebuiltIds, resetNextId } from './replay-tables.js'
import { clearRollups, rollupLabels, setRollupLabels } from './rollups/rollup-tables.js'
import { type SqliteTables, SqliteTransaction } from './sqlite-transaction.js'
import { unjournaledRequests } from './unjournaled-requests.js'
import { storeVersions } from './versions.js'

/**
 * Begins the one transaction of a replay: readers keep the old view until it commits. Rows that never came from a journal
 * keep their ids. What users' tables refer to stays as it is, and no trigger fires.
 */
export function beginRebuild(
  database: Database,
  tables: SqliteTables,
  options: RebuildOptions,
): RebuildTransaction {
  // Requests go and come back: what refers to them must not be deleted meanwhile. Not possible inside the transaction.
  database.pragma('foreign_keys = OFF')
  database.exec('BEGIN IMMEDIATE')
  try {
    const references = new HeldReferences(database)
    const bulk = new BulkTables(database)
    bulk.dropTriggers()
    clearProjections(database, () => bulk.dropIndexes())
    clearRollups(database)
    if (options.rollupLabels !== undefined) setRollupLabels(database, options.rollupLabels)
    const ids = rebuiltIds(database)
    // They came before everything that is left.
    for (const carried of carriedCompletions(database)) bulk.defer({ ...carried, beforeId: ids.nextId })
    return new SqliteRebuild(database, tables, { ...ids, bulk, references, before: options.before })
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK')
    throw error
  }
}

interface SqliteRebuildOptions {
  nextId: number
  takenIds: ReadonlySet<number>
  bulk: BulkTables
  references: HeldReferences
  before: readonly SegmentPosition[]
}

class SqliteRebuild extends SqliteTransaction implements RebuildTransaction {
  readonly rollupLabels: readonly string[]
  readonly #database: Database
  readonly #references: HeldReferences
  readonly #before: readonly SegmentPosition[]

  constructor(
    database: Database,
    tables: SqliteTables,
    { nextId, takenIds, bulk, references, before }: SqliteRebuildOptions,
  ) {
    const labels = rollupLabels(database)
    super({ database, tables, rollupLabels: labels, nextId, takenIds, bulk })
    this.rollupLabels = labels
    this.#database = database
    this.#references = references
    this.#before = before
  }

  async *unjournaledRequests(): AsyncGenerator<readonly CountedRequest[]> {
    yield* unjournaledRequests(this.#database)
  }

  async acceptMissing(names: readonly string[]): Promise<void> {
    acceptMissing(this.#database, names)
  }

  /** @throws DatabaseError ROWS_REFERRED_TO */
  override async commit(): Promise<void> {
    const database = this.#database
    resetNextId(database)
    if (prunedThrough(database) > 0) keepOddCompletions(database, this.#before)
    storeVersions(database)
    this.#references.check()
    await super.commit()
    database.pragma('wal_checkpoint(TRUNCATE)')
  }
}

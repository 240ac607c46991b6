import { realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import type { PriceBook } from '../../folds/costs/price-book.js'
import { type FileIdentity, fileIdentityAt, isSameFile } from '../../journal/file-identity.js'
import { ProjectionError } from '../errors.js'
import type { RebuildOptions, RebuildTransaction, Store, StoreTransaction } from '../port.js'
import type { SegmentPosition } from '../positions.js'
import type { PrunedSegments } from '../pruned-segments.js'
import { BulkSchema, isWorthBulk } from './bulk-schema.js'
import { type Database, openDatabase } from './connection/database.js'
import { asDatabaseError } from './connection/errors.js'
import { acquireDatabaseLock, type Lock, type LockPurpose } from './connection/lock.js'
import { checkVersions } from './fold-versions.js'
import { readPriceBook } from './price-queries.js'
import { readRepricings } from './repricing-queries.js'
import { chooseRollupLabels, rollupLabels } from './rollups/rollup-labels.js'
import { acceptedMissing, prunedSegments, readPositions, replaceAcceptedMissing } from './segment-queries.js'
import { beginRebuild } from './sqlite-rebuild.js'
import { SqliteStatements, SqliteTransaction, type TransactionOptions } from './sqlite-transaction.js'

export interface SqliteStoreOptions {
  purpose: LockPurpose
  /**
   * How long to wait for another program's lock, in milliseconds.
   * @default what `openDatabase` sets
   */
  busyTimeoutMs?: number | undefined
}

/** A store in an SQLite database, which is created or migrated if necessary. */
export class SqliteStore implements Store {
  readonly name: string
  readonly #database: Database
  readonly #lock: Lock
  readonly #statements: SqliteStatements
  readonly #file: FileIdentity | null
  readonly #folder: { path: string; file: FileIdentity | null }
  /** The prices and rates that are stored; null if they haven't been read yet. */
  #book: PriceBook | null = null

  /**
   * @throws DatabaseError PROJECTOR_RUNNING while another process holds the database; otherwise
   *   like `openDatabase`.
   */
  constructor(databasePath: string, { purpose, busyTimeoutMs }: SqliteStoreOptions) {
    this.name = databasePath
    this.#database = openDatabase(databasePath)
    try {
      this.#lock = acquireDatabaseLock(databasePath, purpose)
    } catch (error) {
      this.#database.close()
      throw error
    }
    try {
      this.#statements = new SqliteStatements(this.#database)
      this.#file = fileIdentityAt(databasePath)
      const folder = dirname(realpathSync(databasePath))
      this.#folder = { path: folder, file: fileIdentityAt(folder) }
      if (busyTimeoutMs !== undefined) this.#database.pragma(`busy_timeout = ${busyTimeoutMs}`)
    } catch (error) {
      void this.close()
      throw asDatabaseError(error, databasePath)
    }
  }

  async positions(): Promise<SegmentPosition[]> {
    return readPositions(this.#database)
  }

  async rememberFile(segmentId: number, file: FileIdentity): Promise<void> {
    const sql = 'UPDATE journal_segments SET device = ?, inode = ? WHERE id = ?'
    this.#database.prepare(sql).run(file.device, file.inode, segmentId)
  }

  async pruned(): Promise<PrunedSegments> {
    return prunedSegments(this.#database)
  }

  async acceptedMissing(): Promise<Set<string>> {
    return acceptedMissing(this.#database)
  }

  async replaceAcceptedMissing(names: readonly string[]): Promise<void> {
    replaceAcceptedMissing(this.#database, names)
  }

  async rollupLabels(): Promise<string[]> {
    return rollupLabels(this.#database)
  }

  async chooseRollupLabels(asked: readonly string[] | undefined): Promise<string[]> {
    return chooseRollupLabels(this.#database, this.name, asked)
  }

  async checkVersions(): Promise<void> {
    checkVersions(this.#database, this.name)
  }

  async checkIsThere(): Promise<void> {
    const file = fileIdentityAt(this.name)
    if (file === null && !isSameFile(fileIdentityAt(this.#folder.path), this.#folder.file)) {
      const text = "the database's folder can't be found; it was moved, removed or unmounted: bring it back"
      throw new ProjectionError('DATABASE_AWAY', this.name, text)
    }
    if (isSameFile(file, this.#file)) return
    const text =
      'the database file was removed or replaced while the projector was using it; the journal has whatever is missing'
    throw new ProjectionError('DATABASE_REMOVED', this.name, `${text}: start the projector again`)
  }

  async isWorthBulk(bytes: number, positions: Iterable<SegmentPosition>): Promise<boolean> {
    return isWorthBulk(this.#database, bytes, positions)
  }

  async hasRowsToReprice(): Promise<boolean> {
    return readRepricings(this.#database).length > 0
  }

  async begin(kind: 'usual' | 'bulk'): Promise<StoreTransaction> {
    const database = this.#database
    database.exec('BEGIN IMMEDIATE')
    try {
      const bulk = kind === 'bulk' ? new BulkSchema(database) : null
      bulk?.dropRandomIndex()
      bulk?.deferHeldCompletions()
      return new SqliteTransaction({
        database,
        statements: this.#statements,
        rollupLabels: rollupLabels(database),
        nextId: nextLiveId(database),
        takenIds: new Set(),
        bulk,
        ...this.#prices(),
      })
    } catch (error) {
      if (database.inTransaction) database.exec('ROLLBACK')
      throw error
    }
  }

  async beginRebuild(options: RebuildOptions): Promise<RebuildTransaction> {
    return beginRebuild(this.#database, this.#statements, options, this.#prices())
  }

  #prices(): Pick<TransactionOptions, 'book' | 'onCommitted'> {
    this.#book ??= readPriceBook(this.#database)
    return {
      book: this.#book,
      onCommitted: (book) => {
        this.#book = book
      },
    }
  }

  async close(): Promise<void> {
    this.#database.close()
    this.#lock.release()
  }
}

/**
 * Returns the id that the next live request gets, which is higher than every id that was ever
 * given.
 */
function nextLiveId(database: Database): number {
  const last = database.prepare<[], number>(
    `SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'requests'), 0),
       coalesce((SELECT max(id) FROM requests), 0))`,
  )
  return (last.pluck().get() ?? 0) + 1
}

import type { PlacedCompletion } from '../../events/place.js'
import type { Changes, Keys, Known, KnownRequest } from '../../folds/changes.js'
import type { PriceBook } from '../../folds/costs/price-book.js'
import type { SumChanges } from '../../folds/sums/sums.js'
import type { RepricePage, StoreTransaction } from '../port.js'
import { MOVED_COLUMNS, movedValues } from '../position-row.js'
import type { SegmentPosition } from '../positions.js'
import type { BulkSchema } from './bulk-schema.js'
import type { Database } from './connection/database.js'
import { insertPrices } from './price-rows.js'
import { ProjectionStatements } from './projection-statements.js'
import { addToRepricing, readRepricings, takeRowsToReprice } from './repricing-queries.js'
import { RequestQueries } from './request-queries.js'
import { RollupStatements } from './rollups/rollup-statements.js'

/** The prepared statements that the transactions of one store share. */
export class SqliteStatements {
  readonly projections: ProjectionStatements
  readonly requests: RequestQueries
  readonly rollups: RollupStatements

  constructor(database: Database) {
    this.projections = new ProjectionStatements(database)
    this.requests = new RequestQueries(database)
    this.rollups = new RollupStatements(database)
  }
}

/** Writes the changes to sums, in the caller's transaction. */
export function writeSums(
  { projections, rollups }: SqliteStatements,
  changes: SumChanges,
  rollupLabels: readonly string[],
): void {
  for (const ratio of changes.ratios) projections.addToTokenRatio(ratio)
  for (const change of changes.rollups) rollups.write(change, rollupLabels)
}

export interface TransactionOptions {
  database: Database
  statements: SqliteStatements
  rollupLabels: readonly string[]
  nextId: number
  takenIds: ReadonlySet<number>
  /** Null if indexes are kept up to date, and nothing is deferred. */
  bulk: BulkSchema | null
  /** The prices and rates that are stored. */
  book: PriceBook
  /** Called after a commit, with the prices and rates that are stored now. */
  onCommitted: (book: PriceBook) => void
}

const MOVED = MOVED_COLUMNS.map((column) => `${column} = ?`).join(', ')

const NONE: ReadonlyMap<string, never> = new Map<string, never>()

/** A transaction of SQLite that has begun. */
export class SqliteTransaction implements StoreTransaction {
  protected readonly options: TransactionOptions
  #nextId: number
  #isDeferring: boolean
  /** Whether there may be held completions. If there are none, requests don't look for any. */
  #mayHaveHeldCompletions: boolean
  protected book: PriceBook

  constructor(options: TransactionOptions) {
    this.options = options
    this.#nextId = options.nextId
    this.#isDeferring = options.bulk !== null
    this.book = options.book
    this.#mayHaveHeldCompletions = options.statements.projections.hasHeldCompletions()
  }

  async addSegment(position: SegmentPosition): Promise<void> {
    const { id, journalId, name, file } = position
    const sql = 'INSERT INTO journal_segments (id, journal_id, name, device, inode) VALUES (?, ?, ?, ?, ?)'
    this.options.database.prepare(sql).run(id, journalId, name, file.device, file.inode)
  }

  async load(keys: Keys): Promise<Known> {
    if (this.#isDeferring) return this.#known({})
    const held = this.#mayHaveHeldCompletions ? this.#heldFor(keys) : NONE
    return this.#known({ requests: this.#candidates(keys), held })
  }

  async apply(changes: Changes): Promise<void> {
    const { rejected, inserted, completed, held, released, deferred, repriced } = changes
    const { statements, bulk } = this.options
    const { projections } = statements
    this.#addPrices(changes)
    for (const line of rejected) projections.insertRejectedLine(line)
    if (inserted.length > 0) projections.insertRequests(inserted)
    this.#nextId = (inserted.at(-1)?.id ?? this.#nextId - 1) + 1
    for (const request of completed) projections.completeRequest(request)
    for (const completion of held) projections.holdCompletion(completion)
    if (held.length > 0) this.#mayHaveHeldCompletions = true
    for (const place of released) projections.releaseCompletion(place)
    for (const completion of deferred) bulk?.deferred.add(completion)
    for (const request of repriced) projections.repriceRequest(request)
  }

  async addSums(sums: SumChanges): Promise<void> {
    writeSums(this.options.statements, sums, this.options.rollupLabels)
  }

  async *deferred(): AsyncGenerator<{ known: Known; completions: readonly PlacedCompletion[] }> {
    const { statements, bulk } = this.options
    if (bulk === null) return
    bulk.createIndexes()
    this.#isDeferring = false
    for (const completions of bulk.deferred.pages()) {
      yield { known: this.#known(statements.requests.forDeferred(completions)), completions }
    }
    bulk.finish()
  }

  async takeRowsToReprice(maxRows: number): Promise<RepricePage | null> {
    const { database, statements } = this.options
    const [pending] = readRepricings(database)
    if (pending === undefined) return null
    const rows = takeRowsToReprice(database, pending, maxRows)
    return {
      requests: rows.map((row) => statements.requests.read(row)),
      book: this.book,
      countsRetries: pending.is_first !== 0,
    }
  }

  async advance(expectedBytes: number, next: SegmentPosition): Promise<boolean> {
    const { changes } = this.options.database
      .prepare(`UPDATE journal_segments SET ${MOVED} WHERE id = ? AND projected_bytes = ?`)
      .run(...movedValues(next), next.id, expectedBytes)
    return changes === 1
  }

  async commit(): Promise<void> {
    this.options.database.exec('COMMIT')
    this.options.onCommitted(this.book)
  }

  async rollback(): Promise<void> {
    const { database } = this.options
    if (database.inTransaction) database.exec('ROLLBACK')
  }

  /** Skips ids that no row gets, since they were those of pruned rows. */
  protected skipIds(count: number): void {
    for (let left = count; left > 0; left--) {
      while (this.options.takenIds.has(this.#nextId)) this.#nextId++
      this.#nextId++
    }
  }

  /** The last id that was given or skipped. */
  protected get lastId(): number {
    return this.#nextId - 1
  }

  /**
   * Adds prices and rates. It is called before the batch's requests are inserted, whose costs are
   * already computed with these prices.
   */
  #addPrices({ prices, rates, book, toReprice }: Changes): void {
    if (book === null) return
    const { database } = this.options
    insertPrices(database, { prices, rates })
    this.book = book
    if (toReprice !== null) addToRepricing(database, toReprice, this.lastId)
  }

  /** What a fold must know, with what was looked up. */
  #known(found: Partial<Pick<Known, 'requests' | 'later' | 'held'>>): Known {
    return {
      nextId: this.#nextId,
      takenIds: this.options.takenIds,
      isDeferring: this.#isDeferring,
      requests: NONE,
      later: NONE,
      held: NONE,
      book: this.book,
      ...found,
    }
  }

  #candidates({ completions }: Keys): Map<string, KnownRequest[]> {
    const { requests } = this.options.statements
    return new Map([...completions].map(([id, key]) => [id, requests.candidates(id, key)]))
  }

  #heldFor({ requests }: Keys): Map<string, PlacedCompletion[]> {
    const held = new Map<string, PlacedCompletion[]>()
    for (const correlationId of new Set(requests)) {
      const completions = this.options.statements.projections.heldCompletions(correlationId)
      if (completions.length > 0) held.set(correlationId, completions)
    }
    return held
  }
}

import type { Changes } from '../../folds/changes.js'
import { identityOf, type PlacedPrice, type PlacedRate } from '../../folds/costs/price.js'
import { rangeToReprice } from '../../folds/costs/repricing.js'
import type { StoredRequest } from '../../folds/stored-request.js'
import type { LostSegment, RebuildOptions, RebuildTransaction } from '../port.js'
import type { SegmentPosition } from '../positions.js'
import type { StoredPrices } from '../price-row.js'
import { BulkSchema } from './bulk-schema.js'
import { carriedCompletions } from './completion-rows.js'
import type { Database } from './connection/database.js'
import { storeVersions } from './fold-versions.js'
import { noteReferences } from './foreign-references.js'
import { readPrices } from './price-queries.js'
import { clearPrices } from './price-rows.js'
import { addToRepricing } from './repricing-queries.js'
import { unjournaledRequests } from './request-queries.js'
import { rollupLabels, setRollupLabels } from './rollups/rollup-labels.js'
import { clearRollups } from './rollups/rollup-statements.js'
import { prunedThrough, replaceAcceptedMissing } from './segment-queries.js'
import { type SqliteStatements, SqliteTransaction, type TransactionOptions } from './sqlite-transaction.js'

/**
 * Begins the one transaction of a replay: readers keep the old view until it commits. Rows that
 * never came from a journal keep their ids. Rows to which the operator's own tables refer must get
 * their old ids again, or the commit is refused. No trigger fires.
 */
export function beginRebuild(
  database: Database,
  statements: SqliteStatements,
  { before, rollupLabels: labels }: RebuildOptions,
  prices: Pick<TransactionOptions, 'book' | 'onCommitted'>,
): RebuildTransaction {
  // Requests are deleted and inserted again, and no cascade may delete the rows that refer to them.
  // This comes first, because SQLite ignores this pragma in a transaction.
  database.pragma('foreign_keys = OFF')
  database.exec('BEGIN IMMEDIATE')
  try {
    const checkReferences = noteReferences(database)
    const bulk = new BulkSchema(database)
    bulk.dropTriggers()
    clearProjections(database, () => bulk.dropIndexes())
    clearRollups(database)
    if (labels !== undefined) setRollupLabels(database, labels)
    const seeds = takePrices(database)
    const ids = rebuiltIds(database)
    // The lines of carried completions came before all lines that remain.
    const beforeId = ids.nextId
    for (const carried of carriedCompletions(database)) bulk.deferred.add({ ...carried, beforeId })
    const options = { database, statements, rollupLabels: rollupLabels(database), ...ids, bulk, ...prices }
    return new SqliteRebuild(options, checkReferences, before, seeds)
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK')
    throw error
  }
}

class SqliteRebuild extends SqliteTransaction implements RebuildTransaction {
  readonly #checkReferences: () => void
  readonly #before: readonly SegmentPosition[]
  /** Pruned imports whose ids haven't been skipped yet, because no later segment has been read. */
  readonly #prunedImports: { segment_id: number; requests: number }[]
  /** The stored prices and rates that haven't been read again, by identity. */
  readonly #unread: Map<string, PlacedPrice | PlacedRate>

  /** @param seeds the stored prices and rates, which should be read from the journal again. */
  constructor(
    options: TransactionOptions,
    checkReferences: () => void,
    before: readonly SegmentPosition[],
    seeds: StoredPrices,
  ) {
    super(options)
    this.#checkReferences = checkReferences
    this.#before = before
    this.#prunedImports = options.database
      .prepare<[], { segment_id: number; requests: number }>(
        'SELECT * FROM pruned_imports ORDER BY segment_id',
      )
      .all()
    this.#unread = new Map([...seeds.prices, ...seeds.rates].map((seed) => [identityOf(seed), seed]))
  }

  get rollupLabels(): readonly string[] {
    return this.options.rollupLabels
  }

  override async addSegment(position: SegmentPosition): Promise<void> {
    this.#passPrunedImports(position.id)
    await super.addSegment(position)
  }

  #passPrunedImports(segmentId: number): void {
    while ((this.#prunedImports[0]?.segment_id ?? segmentId) < segmentId) {
      this.skipIds(this.#prunedImports.shift()?.requests ?? 0)
    }
  }

  override async apply(changes: Changes): Promise<void> {
    for (const read of [...changes.prices, ...changes.rates]) this.#unread.delete(identityOf(read))
    await super.apply(changes)
  }

  async dropUnreadPrices(): Promise<void> {
    if (this.#unread.size === 0) return
    const unread = [...this.#unread.values()]
    const prices = unread.filter((item): item is PlacedPrice => item.event.type === 'price_set')
    const rates = unread.filter((item): item is PlacedRate => item.event.type !== 'price_set')
    const range = rangeToReprice(this.book, prices, rates)
    this.book = this.book.without(prices, rates)
    this.#unread.clear()
    if (range !== null) addToRepricing(this.options.database, range, this.lastId)
  }

  async *unjournaledRequests(): AsyncGenerator<readonly StoredRequest[]> {
    yield* unjournaledRequests(this.options.database)
  }

  async replaceAcceptedMissing(names: readonly string[]): Promise<void> {
    replaceAcceptedMissing(this.options.database, names)
  }

  async addLost({ name, isReplaced }: LostSegment): Promise<void> {
    this.options.database
      .prepare(
        `INSERT INTO lost_segments (name, is_replaced, lost_at) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET is_replaced = max(is_replaced, excluded.is_replaced)`,
      )
      .run(name, Number(isReplaced), new Date().toISOString())
  }

  /** @throws DatabaseError ROWS_REFERRED_TO */
  override async commit(): Promise<void> {
    const database = this.options.database
    this.#passPrunedImports(Number.POSITIVE_INFINITY)
    // Makes the next row get the next id, as if the rows had come live.
    database
      .prepare(
        `UPDATE sqlite_sequence
         SET seq = max(?, (SELECT last_id FROM unjournaled_requests), coalesce((SELECT max(id) FROM requests), 0))
         WHERE name = 'requests'`,
      )
      .run(this.lastId)
    if (prunedThrough(database) > 0) this.#keepIrregularCompletions()
    storeVersions(database)
    this.#checkReferences()
    await super.commit()
    database.pragma('wal_checkpoint(TRUNCATE)')
  }

  /**
   * Keeps the counts of irregular completions (repeated or ambiguous) after a prune. The replay
   * leaves out completions whose request was pruned, but they were irregular all the same.
   */
  #keepIrregularCompletions(): void {
    const statement = this.options.database.prepare(
      `UPDATE journal_segments SET repeated_completions = max(repeated_completions, ?),
         ambiguous_completions = max(ambiguous_completions, ?) WHERE id = ?`,
    )
    for (const { id, irregular } of this.#before) statement.run(irregular.repeated, irregular.ambiguous, id)
  }
}

/**
 * Empties every projection except roll-ups, counters, prices and exchange rates. Rows that never
 * came from a journal stay, with their ids.
 */
function clearProjections(database: Database, dropIndexes: () => void): void {
  // This is asked before the indexes are dropped, because one of them answers it.
  const unjournaled = database.prepare('SELECT 1 FROM requests WHERE segment_id IS NULL LIMIT 1').get()
  dropIndexes()
  // Without a WHERE clause SQLite frees whole pages instead of deleting row by row.
  database.exec(
    unjournaled === undefined ? 'DELETE FROM requests' : 'DELETE FROM requests WHERE segment_id IS NOT NULL',
  )
  // Completions of these rows will be read again, and must find that none has changed the rows yet.
  if (unjournaled !== undefined) {
    database.exec(
      `UPDATE requests SET completed_segment_id = NULL, completed_byte_offset = NULL
       WHERE segment_id IS NULL AND completed_segment_id IS NOT NULL`,
    )
  }
  database.exec(`
    DELETE FROM rejected_lines;
    DELETE FROM held_completions;
    DELETE FROM superseded_completions;
    UPDATE pruned_segments SET late_lines = 0;
    DELETE FROM token_ratio_sums;
    DELETE FROM token_ratios;
    INSERT INTO token_ratio_sums SELECT policy, ratio_millionths, sample_count FROM unjournaled_token_ratios;
    INSERT INTO token_ratios (policy, avg_ratio, sample_count)
      SELECT policy, ratio_millionths / 1e6 / sample_count, sample_count FROM token_ratio_sums;
    DELETE FROM journal_segments;
  `)
}

/** Deletes the prices and rates that will be read from the journal again, and returns them. */
function takePrices(database: Database): StoredPrices {
  const through = prunedThrough(database)
  const seeds = readPrices(database, 'segment_id > ?', through)
  clearPrices(database, through)
  database.exec('DELETE FROM repricing')
  return seeds
}

/**
 * Returns the first id that a replay gives to rows, which it numbers in the order of the journal,
 * and the ids that it skips. The first comes after the rows from before the journal, and the ids of
 * rows that other programs have added since are skipped. Live rows have the same ids, unless lines
 * came late.
 */
function rebuiltIds(database: Database): { nextId: number; takenIds: ReadonlySet<number> } {
  const last = database.prepare<[], number>('SELECT last_id FROM unjournaled_requests').pluck().get() ?? 0
  const taken = database.prepare<[number], number>(
    'SELECT id FROM requests WHERE id > ? AND segment_id IS NULL',
  )
  return { nextId: last + 1, takenIds: new Set(taken.pluck().all(last)) }
}

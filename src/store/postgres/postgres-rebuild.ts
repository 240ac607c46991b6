import type { PlacedCompletion } from '../../events/place.js'
import type { Changes, Keys, Known } from '../../folds/changes.js'
import { identityOf, type PlacedPrice, type PlacedRate } from '../../folds/costs/price.js'
import { rangeToReprice } from '../../folds/costs/repricing.js'
import type { StoredRequest } from '../../folds/stored-request.js'
import { parseSegmentName } from '../../journal/segments.js'
import { ProjectionError } from '../errors.js'
import type { LostSegment, RebuildOptions, RebuildTransaction } from '../port.js'
import type { SegmentPosition } from '../positions.js'
import type { StoredPrices } from '../price-row.js'
import { DeferredCompletions } from './deferred-completions.js'
import { storeVersions } from './fold-versions.js'
import { setChunksAside } from './journal-chunks.js'
import { PostgresTransaction, type TransactionOptions } from './postgres-transaction.js'
import { takePrices } from './price-rows.js'
import { addToRepricing } from './repricing-queries.js'
import { changeRollupLabels } from './rollup-labels.js'
import { IDS_PER_JOURNAL } from './row-ids.js'
import {
  addLost,
  keepIrregularCompletions,
  prunedThrough,
  readPositions,
  replaceAcceptedMissing,
} from './segment-queries.js'

/**
 * The tables that a replay empties and fills again, besides those of prices. The counters aren't
 * among them, since they never fall.
 */
const REBUILT = [
  'requests',
  'rejected_lines',
  'held_completions',
  'superseded_completions',
  'token_ratio_sums',
  'rollups',
  'rollup_latencies',
  'rollup_totals',
  'rollup_total_latencies',
  'rollup_dimensions',
  'rollup_names',
  'repricing',
  'journal_segments',
]

/**
 * Begins a replay in the transaction that the caller has begun: empties the projections of this
 * journal, and leaves those of others untouched. Readers keep the old view until it commits.
 */
export async function beginRebuild(
  options: Omit<TransactionOptions, 'nextId' | 'mayHaveHeldCompletions'>,
  { before, rollupLabels }: RebuildOptions,
): Promise<RebuildTransaction> {
  const { journal } = options
  const projected = new Set((await readPositions(journal)).map(({ id }) => id))
  for (const table of REBUILT) await journal.run(`DELETE FROM ${table} WHERE journal = $1`)
  await journal.run('UPDATE journals SET pruned_late_lines = 0 WHERE number = $1')
  if (rollupLabels !== undefined) await changeRollupLabels(journal, rollupLabels)
  const through = await prunedThrough(journal)
  const seeds = await takePrices(journal, through)
  const row = await journal.one<{ pruned_ordinal: number }>(
    'SELECT pruned_ordinal FROM journals WHERE number = $1',
  )
  const nextId = journal.number * IDS_PER_JOURNAL + (row?.pruned_ordinal ?? 0) + 1
  const deferred = new DeferredCompletions(journal)
  await deferred.begin()
  await deferred.addCarried(nextId)
  options.rollups.forget()
  const labels = rollupLabels ?? options.rollupLabels
  return new PostgresRebuild(
    { ...options, rollupLabels: labels, nextId, mayHaveHeldCompletions: false },
    { before, projected, seeds, deferred },
  )
}

interface RebuildState {
  before: readonly SegmentPosition[]
  /** The ids of the segments that had a position. If one was renamed since, its old id. */
  projected: ReadonlySet<number>
  /** The stored prices and rates, which should be read from the journal again. */
  seeds: StoredPrices
  deferred: DeferredCompletions
}

class PostgresRebuild extends PostgresTransaction implements RebuildTransaction {
  readonly rollupLabels: readonly string[]
  readonly #state: RebuildState
  /** The stored prices and rates that haven't been read again, by identity. */
  readonly #unread: Map<string, PlacedPrice | PlacedRate>
  /** The names of the segments whose chunks are written in this replay. */
  readonly #chunked = new Set<string>()
  /** The names of the segments whose earlier chunks were removed for that. */
  readonly #replaced = new Set<string>()

  constructor(options: TransactionOptions, state: RebuildState) {
    super(options)
    this.rollupLabels = options.rollupLabels
    this.#state = state
    const { prices, rates } = state.seeds
    this.#unread = new Map([...prices, ...rates].map((seed) => [identityOf(seed), seed]))
  }

  protected override async clearChunks(position: SegmentPosition): Promise<void> {
    if (this.options.chunks !== null) this.#chunked.add(position.name)
    // Only chunks of the bytes that were projected are written again.
    if (!this.#state.projected.has(position.id)) return await super.clearChunks(position)
    const removed = (await this.options.chunks?.removeSegment(position.id)) ?? 0
    if (removed > 0) this.#replaced.add(position.name)
  }

  override async load(_: Keys): Promise<Known> {
    return { ...this.known(), isDeferring: true }
  }

  override async apply(changes: Changes): Promise<void> {
    for (const read of [...changes.prices, ...changes.rates]) this.#unread.delete(identityOf(read))
    await this.written()
    await this.#state.deferred.add(changes.deferred)
    await super.apply(changes)
  }

  override async *deferred(): AsyncGenerator<{ known: Known; completions: readonly PlacedCompletion[] }> {
    await this.written()
    for await (const { completions, requests, later } of this.#state.deferred.pages()) {
      yield { known: { ...this.known(), requests, later }, completions }
      // The next page may be about the same rows, and must find them as this page has changed them.
      await this.written()
    }
  }

  async *unjournaledRequests(): AsyncGenerator<readonly StoredRequest[]> {
    // Rows come only from journals, since other programs have tables of their own.
  }

  async replaceAcceptedMissing(names: readonly string[]): Promise<void> {
    await this.written()
    await replaceAcceptedMissing(this.journal, names)
  }

  async addLost(segment: LostSegment): Promise<void> {
    // The chunks that were removed may have been the only copy.
    if (this.#replaced.has(segment.name)) throw onlyCopyLost(segment)
    await this.written()
    // Chunks that weren't written again hold the earlier bytes; the next ones will hold others.
    const lost = this.#chunked.has(segment.name) ? null : parseSegmentName(segment.name)
    if (lost !== null) await setChunksAside(this.journal, lost.id)
    await addLost(this.journal, segment)
  }

  override async commit(): Promise<void> {
    await this.written()
    if ((await prunedThrough(this.journal)) > 0) {
      await keepIrregularCompletions(this.journal, this.#state.before)
    }
    await storeVersions(this.journal)
    await super.commit()
  }

  async dropUnreadPrices(): Promise<void> {
    if (this.#unread.size === 0) return
    await this.written()
    const unread = [...this.#unread.values()]
    const prices = unread.filter((item): item is PlacedPrice => item.event.type === 'price_set')
    const rates = unread.filter((item): item is PlacedRate => item.event.type !== 'price_set')
    const range = rangeToReprice(this.book, prices, rates)
    this.book = this.book.without(prices, rates)
    this.#unread.clear()
    if (range !== null) await addToRepricing(this.journal, range, this.lastId)
  }
}

function onlyCopyLost({ name, isReplaced }: LostSegment): ProjectionError {
  const found = isReplaced
    ? "the segment isn't what was projected"
    : 'the segment is shorter than what was projected from it'
  const lost = "PostgreSQL's copy of the projected bytes would be lost"
  const advice = 'get the journal back with `restore`, or add --no-chunks, which leaves the copy as it is'
  const code = isReplaced ? 'SEGMENT_REPLACED' : 'SEGMENT_TRUNCATED'
  return new ProjectionError(code, name, `${found}, and ${lost}: ${advice}`)
}

import type { Place, PlacedCompletion, RejectedLine } from '../../events/place.js'
import type { CompletedRequest } from '../../folds/changes.js'
import type { RepricedRequest } from '../../folds/costs/repricing.js'
import type { RowCost } from '../../folds/costs/row-cost.js'
import type { NewRequest, StoredRequest } from '../../folds/stored-request.js'
import type { RatioChange } from '../../folds/sums/token-ratios.js'
import { COMPLETION_COLUMNS, DETAIL_COLUMNS, USUAL_OUTCOME_COLUMNS } from '../outcome-columns.js'
import { type CompletionRow, completionValues, placedCompletion, valuesOf } from './completion-rows.js'
import type { Database } from './connection/database.js'
import { RowQueue, type RowValue } from './row-queue.js'

const COST_SATS = USUAL_OUTCOME_COLUMNS.indexOf('cost_sats')

const INSERTED_COLUMNS = [
  'id',
  'correlation_id',
  'attempt',
  'timestamp',
  'model',
  'provider',
  'policy',
  'streaming',
  'input_tokens',
  'output_tokens',
  'cost_sats',
  'provider_cost_sats',
  'latency_ms',
  'success',
  'error_status',
  'error_message',
  'labels',
  'segment_id',
  'byte_offset',
  'cost_source',
  'cost_currency',
]

/**
 * Most rows are inserted and completed without these columns, each of which takes 40 ns to bind.
 */
const RARE_COLUMNS = [...DETAIL_COLUMNS, 'price_segment_id', 'price_byte_offset'] as const

/**
 * Writes what the folds change, with statements that are prepared once. All of them run in the
 * caller's transaction.
 */
export class ProjectionStatements {
  readonly #statements: ReturnType<typeof prepareStatements>
  readonly #requests: RowQueue
  readonly #detailedRequests: RowQueue

  constructor(database: Database) {
    this.#statements = prepareStatements(database)
    this.#requests = new RowQueue(database, 'requests', INSERTED_COLUMNS)
    this.#detailedRequests = new RowQueue(database, 'requests', [...INSERTED_COLUMNS, ...RARE_COLUMNS])
  }

  insertRequests(requests: readonly NewRequest[]): void {
    // Forgets the rows that a failed transaction left in the queues.
    this.#requests.clear()
    this.#detailedRequests.clear()
    for (const request of requests) {
      const row = requestRow(request)
      if (hasRareValues(request.event, request.cost)) {
        this.#detailedRequests.add([...row, ...rareValues(request.event, request.cost)])
      } else this.#requests.add(row)
    }
    this.#requests.insert()
    this.#detailedRequests.insert()
  }

  /** Overwrites the outcome of a request with that of its completion. */
  completeRequest({ before, after, by: { completion, place }, isAmbiguous }: CompletedRequest): void {
    const { completeRequest, completeDetails, supersede, countIrregular } = this.#statements
    // Notes the place of the earlier completion before this one overwrites it.
    if (before.completedBy !== null) {
      const { segmentId, byteOffset } = before.completedBy
      supersede.run(segmentId, byteOffset, before.id, Number(before.success))
    }
    const values = valuesOf(completion, USUAL_OUTCOME_COLUMNS)
    values[COST_SATS] = after.cost_sats
    completeRequest.run(
      ...values,
      after.cost_source,
      after.cost_currency,
      place.segmentId,
      place.byteOffset,
      before.id,
    )
    if (hasRareValues(before, before) || hasRareValues(after, after)) {
      completeDetails.run(...rareValues(after, after), before.id)
    }
    const isRepeated = before.completedBy !== null
    // A pruned segment no longer has counts, so nothing is updated for it.
    if (isRepeated || isAmbiguous)
      countIrregular.run(Number(isRepeated), Number(isAmbiguous), place.segmentId)
  }

  /** Overwrites the cost of a request. */
  repriceRequest({ before, cost }: RepricedRequest): void {
    const { cost_sats, cost_usd, cost_source, cost_currency, price } = cost
    const values = [cost_sats, cost_usd, cost_source, cost_currency, ...placeValues(price), before.id]
    this.#statements.reprice.run(...values)
  }

  holdCompletion(completion: PlacedCompletion): void {
    this.#statements.holdCompletion.run(...completionValues(completion))
  }

  releaseCompletion({ segmentId, byteOffset }: Place): void {
    this.#statements.releaseCompletion.run(segmentId, byteOffset)
  }

  hasHeldCompletions(): boolean {
    return this.#statements.oneHeld.get() !== undefined
  }

  /**
   * The completions that are held for requests with this correlation_id, in the order of the
   * journal.
   */
  heldCompletions(correlationId: string): PlacedCompletion[] {
    return this.#statements.heldCompletions.all(correlationId).map(placedCompletion)
  }

  insertRejectedLine({ segmentId, byteOffset, length, reason, detail, excerpt }: RejectedLine): void {
    this.#statements.insertRejected.run(segmentId, byteOffset, length, reason, detail, excerpt)
  }

  /**
   * Adds to a policy's sum and count, and updates its mean. A policy without samples has no row.
   */
  addToTokenRatio({ policy, millionths, samples }: RatioChange): void {
    this.#statements.addRatio.run(policy, millionths, samples)
    this.#statements.deleteEmptyRatio.run(policy)
    this.#statements.deleteRatioMean.run(policy)
    this.#statements.insertRatioMean.run(policy)
  }
}

/** A request's values in the order of `INSERTED_COLUMNS`. */
function requestRow({ id, event, cost, segmentId, byteOffset }: NewRequest): RowValue[] {
  return [
    id,
    event.correlation_id,
    event.attempt ?? null,
    event.timestamp,
    event.model,
    event.provider,
    event.policy,
    event.streaming ? 1 : 0,
    event.input_tokens,
    event.output_tokens,
    cost.cost_sats,
    event.provider_cost_sats,
    event.latency_ms,
    event.success ? 1 : 0,
    event.error_status,
    event.error_message,
    event.labels === undefined ? null : JSON.stringify(event.labels),
    segmentId,
    byteOffset,
    cost.cost_source,
    cost.cost_currency,
  ]
}

type Details = Pick<StoredRequest, Exclude<(typeof DETAIL_COLUMNS)[number], 'cost_usd'>>
type RareCost = Pick<RowCost, 'cost_usd' | 'price'>

/** Whether any of a request's rare columns isn't null. */
function hasRareValues(details: Details, { cost_usd, price }: RareCost): boolean {
  return (
    cost_usd !== null ||
    price !== null ||
    (details.response_model ?? null) !== null ||
    (details.service_tier ?? null) !== null ||
    (details.cache_read_input_tokens ?? null) !== null ||
    (details.cache_creation_input_tokens ?? null) !== null ||
    (details.cache_creation_1h_input_tokens ?? null) !== null ||
    (details.audio_input_tokens ?? null) !== null ||
    (details.image_input_tokens ?? null) !== null ||
    (details.reasoning_output_tokens ?? null) !== null ||
    (details.audio_output_tokens ?? null) !== null ||
    (details.provider_cost_usd ?? null) !== null
  )
}

/** Values in the order of `RARE_COLUMNS`. */
function rareValues(details: Details, { cost_usd, price }: RareCost): RowValue[] {
  const values = DETAIL_COLUMNS.map((column) =>
    column === 'cost_usd' ? cost_usd : (details[column] ?? null),
  )
  return [...values, ...placeValues(price)]
}

function placeValues(place: Place | null): RowValue[] {
  return [place?.segmentId ?? null, place?.byteOffset ?? null]
}

function prepareStatements(database: Database) {
  return {
    completeRequest: database.prepare(
      `UPDATE requests SET ${USUAL_OUTCOME_COLUMNS.map(assignment).join(', ')}, cost_source = ?, cost_currency = ?,
         completed_segment_id = ?, completed_byte_offset = ? WHERE id = ?`,
    ),
    completeDetails: database.prepare(
      `UPDATE requests SET ${RARE_COLUMNS.map((column) => `${column} = ?`).join(', ')} WHERE id = ?`,
    ),
    reprice: database.prepare(
      `UPDATE requests SET cost_sats = ?, cost_usd = ?, cost_source = ?, cost_currency = ?,
         price_segment_id = ?, price_byte_offset = ? WHERE id = ?`,
    ),
    holdCompletion: database.prepare(
      `INSERT INTO held_completions (${COMPLETION_COLUMNS.join(', ')})
       VALUES (${COMPLETION_COLUMNS.map(() => '?').join(', ')})`,
    ),
    heldCompletions: database.prepare<[string], CompletionRow>(
      `SELECT ${COMPLETION_COLUMNS.join(', ')} FROM held_completions
       WHERE correlation_id = ? ORDER BY segment_id, byte_offset`,
    ),
    releaseCompletion: database.prepare(
      'DELETE FROM held_completions WHERE segment_id = ? AND byte_offset = ?',
    ),
    supersede: database.prepare('INSERT OR REPLACE INTO superseded_completions VALUES (?, ?, ?, ?)'),
    countIrregular: database.prepare(
      `UPDATE journal_segments SET repeated_completions = repeated_completions + ?,
         ambiguous_completions = ambiguous_completions + ? WHERE id = ?`,
    ),
    oneHeld: database.prepare('SELECT 1 FROM held_completions LIMIT 1'),
    insertRejected: database.prepare(
      `INSERT INTO rejected_lines (segment_id, byte_offset, length, reason, detail, excerpt)
       VALUES (?, ?, ?, ?, ?, ?)`,
    ),
    addRatio: database.prepare(
      `INSERT INTO token_ratio_sums (policy, ratio_millionths, sample_count) VALUES (?, ?, ?)
       ON CONFLICT (policy) DO UPDATE SET ratio_millionths = ratio_millionths + excluded.ratio_millionths,
         sample_count = sample_count + excluded.sample_count`,
    ),
    deleteEmptyRatio: database.prepare('DELETE FROM token_ratio_sums WHERE policy = ? AND sample_count = 0'),
    deleteRatioMean: database.prepare('DELETE FROM token_ratios WHERE policy = ?'),
    insertRatioMean: database.prepare(
      `INSERT INTO token_ratios (policy, avg_ratio, sample_count)
       SELECT policy, ratio_millionths / 1e6 / sample_count, sample_count FROM token_ratio_sums WHERE policy = ?`,
    ),
  }
}

/**
 * The SQL that overwrites a column. A completion whose `success` is null doesn't change the
 * request's.
 */
function assignment(column: (typeof USUAL_OUTCOME_COLUMNS)[number]): string {
  return column === 'success' ? 'success = coalesce(?, success)' : `${column} = ?`
}

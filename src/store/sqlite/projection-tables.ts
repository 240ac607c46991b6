import type { StreamCompleted } from '../../events/event-types.js'
import type { Place, PlacedCompletion, RejectedLine } from '../../events/placed.js'
import type { CompletedRequest } from '../../folds/changes.js'
import type { NewRequest } from '../../folds/request.js'
import type { RatioChange } from '../../folds/token-ratios.js'
import type { Database } from './connection/database.js'
import { requestQueue, requestRow } from './request-rows.js'
import type { RowQueue } from './row-queue.js'

/** A completion as the tables that keep one have it. */
export interface CompletionRow extends Omit<StreamCompleted, 'type' | 'timestamp' | 'success' | 'attempt'> {
  attempt: number | null
  segment_id: number
  byte_offset: number
  success: number | null
}

/** A completion's columns, in the order of `completionValues`. */
export const COMPLETION_COLUMNS = `correlation_id, attempt, input_tokens, output_tokens, cost_sats, provider_cost_sats,
  stream_duration_ms, success, error_status, error_message`

/** Writes what the folds change, by statements that are prepared once. All of them run in the caller's transaction. */
export class ProjectionTables {
  readonly #statements: ReturnType<typeof prepareStatements>
  readonly #requests: RowQueue

  constructor(database: Database) {
    this.#statements = prepareStatements(database)
    this.#requests = requestQueue(database)
  }

  /** Forgets what a transaction that failed has left. */
  begin(): void {
    this.#requests.clear()
  }

  insertRequests(requests: readonly NewRequest[]): void {
    for (const request of requests) this.#requests.add(requestRow(request))
    this.#requests.insert()
  }

  /** Overwrites what a completion brings, nulls included; a null `success` leaves what the request said. */
  completeRequest({ before, by: { completion, place }, isAmbiguous }: CompletedRequest): void {
    const { completeRequest, supersede, countOdd } = this.#statements
    // Remembers the completion that the row has, before this one overwrites it.
    if (before.completedBy !== null) {
      const { segmentId, byteOffset } = before.completedBy
      supersede.run(segmentId, byteOffset, before.id, Number(before.success))
    }
    completeRequest.run(
      completion.input_tokens,
      completion.output_tokens,
      completion.cost_sats,
      completion.provider_cost_sats,
      completion.stream_duration_ms,
      asInteger(completion.success),
      completion.error_status,
      completion.error_message,
      place.segmentId,
      place.byteOffset,
      before.id,
    )
    const isRepeated = before.completedBy !== null
    // The segment may have been pruned: then it has no counts any more.
    if (isRepeated || isAmbiguous) countOdd.run(Number(isRepeated), Number(isAmbiguous), place.segmentId)
  }

  holdCompletion({ completion, place }: PlacedCompletion): void {
    this.#statements.holdCompletion.run(place.segmentId, place.byteOffset, ...completionValues(completion))
  }

  releaseCompletion({ segmentId, byteOffset }: Place): void {
    this.#statements.releaseCompletion.run(segmentId, byteOffset)
  }

  hasHeldCompletions(): boolean {
    return this.#statements.oneHeld.get() !== undefined
  }

  /** The completions that are held for requests with this correlation_id, in the order of the journal. */
  heldCompletions(correlationId: string): PlacedCompletion[] {
    return this.#statements.heldCompletions.all(correlationId).map(placedCompletion)
  }

  insertRejectedLine({ segmentId, byteOffset, length, reason, detail, excerpt }: RejectedLine): void {
    this.#statements.insertRejected.run(segmentId, byteOffset, length, reason, detail, excerpt)
  }

  /** Adds to a policy's sum and count, and brings its mean up to date; a policy without samples has no row. */
  addToTokenRatio({ policy, millionths, samples }: RatioChange): void {
    this.#statements.addRatio.run(policy, millionths, samples)
    this.#statements.deleteEmptyRatio.run(policy)
    this.#statements.deleteRatioMean.run(policy)
    this.#statements.insertRatioMean.run(policy)
  }
}

/** How many completions wait for their request. */
export function countHeldCompletions(database: Database): number {
  return database.prepare<[], number>('SELECT count(*) FROM held_completions').pluck().get() ?? 0
}

export function placedCompletion(row: CompletionRow): PlacedCompletion {
  const { segment_id, byte_offset, success, ...columns } = row
  return {
    completion: { ...columns, success: success === null ? null : success === 1 },
    place: { segmentId: segment_id, byteOffset: byte_offset },
  }
}

export function completionValues(completion: PlacedCompletion['completion']): (string | number | null)[] {
  return [
    completion.correlation_id,
    completion.attempt ?? null,
    completion.input_tokens,
    completion.output_tokens,
    completion.cost_sats,
    completion.provider_cost_sats,
    completion.stream_duration_ms,
    asInteger(completion.success),
    completion.error_status,
    completion.error_message,
  ]
}

function asInteger(value: boolean | null): number | null {
  return value === null ? null : Number(value)
}

function prepareStatements(database: Database) {
  return {
    completeRequest: database.prepare(
      `UPDATE requests SET input_tokens = ?, output_tokens = ?, cost_sats = ?, provider_cost_sats = ?,
         stream_duration_ms = ?, success = coalesce(?, success), error_status = ?, error_message = ?,
         completed_segment_id = ?, completed_byte_offset = ?
       WHERE id = ?`,
    ),
    holdCompletion: database.prepare(
      `INSERT INTO held_completions (segment_id, byte_offset, ${COMPLETION_COLUMNS})
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    heldCompletions: database.prepare<[string], CompletionRow>(
      `SELECT segment_id, byte_offset, ${COMPLETION_COLUMNS} FROM held_completions
       WHERE correlation_id = ? ORDER BY segment_id, byte_offset`,
    ),
    releaseCompletion: database.prepare(
      'DELETE FROM held_completions WHERE segment_id = ? AND byte_offset = ?',
    ),
    supersede: database.prepare('INSERT OR REPLACE INTO superseded_completions VALUES (?, ?, ?, ?)'),
    countOdd: database.prepare(
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

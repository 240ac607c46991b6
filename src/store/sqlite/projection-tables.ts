import type { RequestLogged, StreamCompleted } from '../../events/event-types.js'
import type { Database } from './connection/database.js'
import type { Place } from './place.js'
import { RequestFinder } from './request-finder.js'
import { INSERT_REQUEST, requestRow } from './request-rows.js'
import type { StoredRequest } from './stored-request.js'

export type { Place } from './place.js'
export { STORED_COLUMNS, type StoredRequest } from './stored-request.js'

/** A completion and where it stands. */
export interface PlacedCompletion {
  completion: Omit<StreamCompleted, 'type' | 'timestamp' | 'attempt'> & { attempt?: number | null }
  place: Place
}

/** A completion as the tables that keep one have it. */
export interface CompletionRow extends Omit<StreamCompleted, 'type' | 'timestamp' | 'success' | 'attempt'> {
  attempt: number | null
  segment_id: number
  byte_offset: number
  success: number | null
}

export interface RejectedLine extends Place {
  length: number
  reason: string
  detail: string
  /** How the line begins, for people. */
  excerpt: string
}

/** A completion's columns, in the order of `completionValues`. */
export const COMPLETION_COLUMNS = `correlation_id, attempt, input_tokens, output_tokens, cost_sats, provider_cost_sats,
  stream_duration_ms, success, error_status, error_message`

/** The statements that the folds need, prepared once. All of them run in the caller's transaction. */
export class ProjectionTables {
  readonly requests: RequestFinder
  readonly #statements: ReturnType<typeof prepareStatements>

  constructor(database: Database) {
    this.#statements = prepareStatements(database)
    this.requests = new RequestFinder(database)
  }

  /** @returns the row's id: the next one. */
  insertRequest(event: RequestLogged, place: Place): number {
    const { lastInsertRowid } = this.#statements.insertRequest.run(...requestRow(event, place, null))
    return Number(lastInsertRowid)
  }

  /** Overwrites what a completion brings, nulls included; a null `success` leaves what the request said. */
  completeRequest(id: number, { completion, place }: PlacedCompletion): void {
    this.#statements.completeRequest.run(
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
      id,
    )
  }

  holdCompletion({ completion, place }: PlacedCompletion): void {
    this.#statements.holdCompletion.run(place.segmentId, place.byteOffset, ...completionValues(completion))
  }

  /** Remembers the completion that a row has, before another one overwrites it. */
  supersedeCompletion({ id, success, completed_segment_id, completed_byte_offset }: StoredRequest): void {
    this.#statements.supersede.run(completed_segment_id, completed_byte_offset, id, success)
  }

  /** Adds to what a segment's completions count for. */
  countCompletions(
    segmentId: number,
    { repeated, ambiguous }: { repeated: number; ambiguous: number },
  ): void {
    this.#statements.countCompletions.run(repeated, ambiguous, segmentId)
  }

  /** Takes out what is held for a request, in the order of the journal: what names its attempt, or none. */
  *takeHeldCompletions(correlationId: string, attempt: number | null): Generator<PlacedCompletion> {
    const { heldCompletions, deleteHeld } = this.#statements
    // A page at a time: nothing bounds how many a hostile client can have for one request.
    for (;;) {
      const rows = heldCompletions.all(correlationId, attempt) as CompletionRow[]
      const last = rows.at(-1)
      if (last === undefined) return
      deleteHeld.run(correlationId, attempt, last.segment_id, last.byte_offset)
      for (const row of rows) yield placedCompletion(row)
    }
  }

  hasHeldCompletions(): boolean {
    return this.#statements.oneHeld.get() !== undefined
  }

  insertRejectedLine(line: RejectedLine): void {
    const { segmentId, byteOffset, length, reason, detail, excerpt } = line
    this.#statements.insertRejected.run(segmentId, byteOffset, length, reason, detail, excerpt)
  }

  /** Adds to a policy's sum and count, and brings its mean up to date; a policy without samples has no row. */
  addToTokenRatio(policy: string, millionths: bigint, samples: number): void {
    this.#statements.addRatio.run(policy, millionths, samples)
    this.#statements.deleteEmptyRatio.run(policy)
    this.#statements.deleteRatioMean.run(policy)
    this.#statements.insertRatioMean.run(policy)
  }
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
    insertRequest: database.prepare(INSERT_REQUEST),
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
    heldCompletions: database.prepare(
      `SELECT segment_id, byte_offset, ${COMPLETION_COLUMNS} FROM held_completions
       WHERE correlation_id = ? AND (attempt IS NULL OR attempt = ?) ORDER BY segment_id, byte_offset LIMIT 1000`,
    ),
    deleteHeld: database.prepare(
      `DELETE FROM held_completions WHERE correlation_id = ? AND (attempt IS NULL OR attempt = ?)
         AND (segment_id, byte_offset) <= (?, ?)`,
    ),
    supersede: database.prepare('INSERT OR REPLACE INTO superseded_completions VALUES (?, ?, ?, ?)'),
    countCompletions: database.prepare(
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

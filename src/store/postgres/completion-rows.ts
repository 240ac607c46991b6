import type { StreamCompleted } from '../../events/event-types.js'
import type { PlacedCompletion } from '../../events/placed.js'
import { copyLine } from './connection/values.js'

/** The columns of a table that keeps completions, beside the journal. */
const OWN_COLUMNS = [
  'correlation_id',
  'attempt',
  'input_tokens',
  'output_tokens',
  'cost_sats',
  'provider_cost_sats',
  'stream_duration_ms',
  'success',
  'error_status',
  'error_message',
  'response_model',
  'service_tier',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_1h_input_tokens',
  'audio_input_tokens',
  'image_input_tokens',
  'reasoning_output_tokens',
  'audio_output_tokens',
  'cost_usd',
  'provider_cost_usd',
] as const

/** The columns of a completion and its place. */
export const COMPLETION_COLUMNS: readonly string[] = ['segment_id', 'byte_offset', ...OWN_COLUMNS]

/** A row of `COMPLETION_COLUMNS`. */
export interface CompletionRow extends Omit<StreamCompleted, 'type' | 'timestamp' | 'attempt'> {
  attempt: number | null
  segment_id: number
  byte_offset: number
}

/** Returns a completion for COPY, after the values of columns before it. */
export function completionLine({ completion, place }: PlacedCompletion, ...before: number[]): string {
  const values = OWN_COLUMNS.map((column) => completion[column] ?? null)
  return copyLine([...before, place.segmentId, place.byteOffset, ...values])
}

export function placedCompletion({
  segment_id,
  byte_offset,
  ...completion
}: CompletionRow): PlacedCompletion {
  return { completion, place: { segmentId: segment_id, byteOffset: byte_offset } }
}

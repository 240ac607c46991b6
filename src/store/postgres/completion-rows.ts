import type { StreamCompleted } from '../../events/event-types.js'
import type { PlacedCompletion } from '../../events/placed.js'
import { COMPLETION_VALUES } from '../outcome-columns.js'
import { copyLine } from './connection/values.js'

/** The columns of a completion and its place. */
export const COMPLETION_COLUMNS: readonly string[] = ['segment_id', 'byte_offset', ...COMPLETION_VALUES]

/** A row of `COMPLETION_COLUMNS`. */
export interface CompletionRow extends Omit<StreamCompleted, 'type' | 'timestamp' | 'attempt'> {
  attempt: number | null
  segment_id: number
  byte_offset: number
}

/** Returns a completion for COPY, after the values of columns before it. */
export function completionLine({ completion, place }: PlacedCompletion, ...before: number[]): string {
  const values = COMPLETION_VALUES.map((column) => completion[column] ?? null)
  return copyLine([...before, place.segmentId, place.byteOffset, ...values])
}

export function placedCompletion({
  segment_id,
  byte_offset,
  ...completion
}: CompletionRow): PlacedCompletion {
  return { completion, place: { segmentId: segment_id, byteOffset: byte_offset } }
}

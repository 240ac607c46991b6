import type { StreamCompleted } from '../../events/event-types.js'
import type { PlacedCompletion } from '../../events/place.js'
import { COMPLETION_VALUES } from '../outcome-columns.js'
import type { CopyValue } from './connection/copy-rows.js'

/** A row of `COMPLETION_COLUMNS`. */
export interface CompletionRow extends Omit<StreamCompleted, 'type' | 'timestamp' | 'attempt'> {
  attempt: number | null
  segment_id: number
  byte_offset: number
}

/** A completion's values, in the order of `COMPLETION_COLUMNS`. */
export function completionValues({ completion, place }: PlacedCompletion): CopyValue[] {
  return [place.segmentId, place.byteOffset, ...COMPLETION_VALUES.map((column) => completion[column] ?? null)]
}

export function placedCompletion({
  segment_id,
  byte_offset,
  ...completion
}: CompletionRow): PlacedCompletion {
  return { completion, place: { segmentId: segment_id, byteOffset: byte_offset } }
}

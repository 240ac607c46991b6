import { segmentOfId } from '../../journal/segments.js'

/** A whole row of the table `requests`. */
export interface FullRow {
  id: number
  timestamp: string
  model: string
  provider: string | null
  streaming: number
  success: number
  input_tokens: number | null
  output_tokens: number | null
  cost_sats: number | null
  latency_ms: number
  stream_duration_ms: number | null
  error_status: number | null
  error_message: string | null
  correlation_id: string
  attempt: number | null
  policy: string | null
  provider_cost_sats: number | null
  labels: string | null
  segment_id: number | null
  byte_offset: number | null
  completed_segment_id: number | null
  completed_byte_offset: number | null
}

/** The columns of {@link FullRow}. */
export const FULL_COLUMNS = `id, timestamp, model, provider, streaming, success, input_tokens, output_tokens, cost_sats,
  latency_ms, stream_duration_ms, error_status, error_message, correlation_id, attempt, policy, provider_cost_sats,
  labels, segment_id, byte_offset, completed_segment_id, completed_byte_offset`

/** Where a line stands in the journal. */
export interface JournalPlace {
  /** The segment's name. */
  segment: string
  byte_offset: number
}

/**
 * A place by the columns of a row; null where the row, or its completion, isn't from the journal.
 */
export function journalPlace(segmentId: number | null, byteOffset: number | null): JournalPlace | null {
  if (segmentId === null || byteOffset === null) return null
  // Another program may have written any number into a row that it has added.
  return { segment: segmentOfId(segmentId)?.name ?? String(segmentId), byte_offset: byteOffset }
}

/** Reads a row's labels; null for none. */
export function labelsOf({ labels }: FullRow): Record<string, string> | null {
  if (labels === null) return null
  try {
    const parsed: unknown = JSON.parse(labels)
    return typeof parsed === 'object' && !Array.isArray(parsed)
      ? (parsed as Record<string, string> | null)
      : null
  } catch {
    // Another program has added this row, and its text isn't JSON.
    return null
  }
}

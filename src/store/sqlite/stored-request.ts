/** What a completion needs to know of the row that it changes. */
export interface StoredRequest {
  id: number
  /** Null: not told. */
  attempt: number | null
  timestamp: string
  model: string
  provider: string | null
  policy: string | null
  streaming: number
  input_tokens: number | null
  output_tokens: number | null
  cost_sats: number | null
  latency_ms: number
  success: number
  stream_duration_ms: number | null
  /** Null: nothing has completed it. */
  completed_segment_id: number | null
  completed_byte_offset: number | null
  /** A JSON object. */
  labels: string | null
  /** Null: the row existed before there was a journal. */
  segment_id: number | null
  byte_offset: number | null
}

/** The columns of `requests` that a StoredRequest has. */
export const STORED_COLUMNS = `id, attempt, timestamp, model, provider, policy, streaming, input_tokens, output_tokens,
  cost_sats, latency_ms, success, stream_duration_ms, completed_segment_id, completed_byte_offset, labels, segment_id,
  byte_offset`

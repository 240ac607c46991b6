/** One request as `GET /v1/requests` shows it. */
export interface RequestEntry {
  id: number
  timestamp: string
  model: string
  /** Left out when the request was rejected before a provider was chosen. */
  provider?: string
  streaming: boolean
  success: boolean
  /** Null: unknown, which is never the same as 0. */
  tokens: { input: number | null; output: number | null }
  cost: { sats: number | null }
  timing: { latency_ms: number; stream_duration_ms?: number }
  /** There when status or message is set, whatever `success` says. */
  error?: { status: number | null; message: string | null }
}

/** What an entry is made from. */
export interface EntryRow {
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
}

/** The columns of {@link EntryRow}. */
export const ENTRY_COLUMNS = `id, timestamp, model, provider, streaming, success, input_tokens, output_tokens, cost_sats,
  latency_ms, stream_duration_ms, error_status, error_message`

export function requestEntry(row: EntryRow): RequestEntry {
  const hasError = row.error_status !== null || row.error_message !== null
  return {
    id: row.id,
    timestamp: row.timestamp,
    model: row.model,
    ...(row.provider === null ? {} : { provider: row.provider }),
    // Whatever else a row from before the journal has there counts as true, as in the roll-ups.
    streaming: row.streaming !== 0,
    success: row.success !== 0,
    tokens: { input: row.input_tokens, output: row.output_tokens },
    cost: { sats: row.cost_sats },
    timing: {
      latency_ms: row.latency_ms,
      ...(row.stream_duration_ms === null ? {} : { stream_duration_ms: row.stream_duration_ms }),
    },
    ...(hasError ? { error: { status: row.error_status, message: row.error_message } } : {}),
  }
}

import { type RequestState, requestState } from '../window/request-state.js'
import { type FullRow, labelsOf } from './full-row.js'

/** The members that an entry has only when details are asked for. */
interface Details {
  correlation_id: string
  /** 0 for the first try, 1 for its first retry; null: it wasn't logged. */
  attempt: number | null
  policy: string | null
  labels: Record<string, string> | null
  state: RequestState
}

/** A request as `GET /v1/requests` shows it. */
export interface RequestEntry extends Partial<Details> {
  id: number
  timestamp: string
  model: string
  /** Left out when the request was rejected before a provider was chosen. */
  provider?: string
  streaming: boolean
  success: boolean
  /** Null: unknown, which is never the same as 0. */
  tokens: { input: number | null; output: number | null }
  /** The cost in dollars is present only when details or a currency are asked for. */
  cost: { sats: number | null; usd?: number | null }
  timing: { latency_ms: number; stream_duration_ms?: number }
  /** Present when status or message is set, whatever `success` says. */
  error?: { status: number | null; message: string | null }
}

/** An entry with its details. */
export type DetailedEntry = RequestEntry & Details & { cost: { usd: number | null } }

export function requestEntry(row: FullRow): RequestEntry {
  const hasError = row.error_status !== null || row.error_message !== null
  return {
    id: row.id,
    timestamp: row.timestamp,
    model: row.model,
    ...(row.provider === null ? {} : { provider: row.provider }),
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

/** Makes an entry that has its cost in dollars too. */
export function pricedEntry(row: FullRow): RequestEntry & { cost: { usd: number | null } } {
  return { ...requestEntry(row), cost: { sats: row.cost_sats, usd: row.cost_usd } }
}

/** @param now milliseconds since 1970, on which it depends whether a stream is still open. */
export function detailedEntry(row: FullRow, now: number): DetailedEntry {
  const { correlation_id, attempt, policy } = row
  const state = requestState(row, now)
  return { ...pricedEntry(row), correlation_id, attempt, policy, labels: labelsOf(row), state }
}

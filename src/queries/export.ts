import type { Database } from '../storage/database.js'
import type { RequestFilter } from './filter.js'

export interface ExportOptions extends RequestFilter {
  /** @default 'id' */
  order?: 'id' | 'timestamp' | undefined
}

/** One request as it is exported: named as in the events, so that `append` takes it. */
export interface ExportedRequest {
  id: number
  correlation_id: string
  timestamp: string
  model: string
  provider: string | null
  policy: string | null
  streaming: boolean
  success: boolean
  input_tokens: number | null
  output_tokens: number | null
  cost_sats: number | null
  provider_cost_sats: number | null
  latency_ms: number
  stream_duration_ms: number | null
  error_status: number | null
  error_message: string | null
  labels: Record<string, string> | null
  /** Where it stands in the journal; null: it was there before the journal. */
  segment: string | null
  byte_offset: number | null
}

/**
 * Requests one after the other, however many: those that were there when it began, read a page at a time, so that
 * neither memory nor a read transaction grows.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL, MODEL_NOT_FOUND, PROVIDER_NOT_FOUND, INVALID_ORDER
 */
// biome-ignore lint/correctness/useYield: on its way
export function* exportRequests(
  _database: Database,
  _options: ExportOptions = {},
): Generator<ExportedRequest, void, undefined> {
  throw new Error('on its way')
}

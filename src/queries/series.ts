import type { Database } from '../storage/database.js'
import type { RequestFilter } from './filter.js'
import type { EchoedWindow } from './window.js'

export type SeriesBucket = 'minute' | 'hour' | 'day'

export interface SeriesOptions extends RequestFilter {
  since: string
  until: string
  /** Whose costs are told apart. @default 'model' */
  by?: 'model' | 'provider' | undefined
  /** @default 'minute' for up to 3 hours, 'hour' for up to 10 days, else 'day' */
  bucket?: SeriesBucket | undefined
}

/** The body of `GET /v1/series`: one value for each of `times` in every list. */
export interface Series extends EchoedWindow {
  bucket: SeriesBucket
  by: 'model' | 'provider'
  /** When each bucket of the window begins, canonical. The first and the last may be cut by the window. */
  times: string[]
  requests: number[]
  failures: number[]
  /** Requests whose cost is unknown. */
  unpriced: number[]
  input_tokens: number[]
  output_tokens: number[]
  /** Null: no requests. */
  p50_latency_ms: (number | null)[]
  p95_latency_ms: (number | null)[]
  p99_latency_ms: (number | null)[]
  /** By name, those that cost most first: at most eight, and the rest under `other`. No provider is `unknown`. */
  cost_sats: Record<string, number[]>
}

/**
 * What happened in each minute, hour or day of a window, for charts.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL, MODEL_NOT_FOUND, PROVIDER_NOT_FOUND, INVALID_BY, INVALID_BUCKET
 */
export function series(_database: Database, _options: SeriesOptions): Series {
  throw new Error('on its way')
}

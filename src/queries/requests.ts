import type { Database } from '../storage/database.js'
import { echoWindow, type Window, windowCondition } from './window.js'

export interface ListRequestsOptions extends Window {
  /** From 1. */
  page: number
  /** From 1 to 100. */
  perPage: number
}

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

/** The body of `GET /v1/requests`. */
export interface RequestPage {
  data: RequestEntry[]
  page: number
  per_page: number
  total: number
  total_pages: number
  since: string
  until: string
}

interface RequestRow {
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

/** A page of the requests of a window, newest first; its count and its rows are of the same moment. */
export function listRequests(database: Database, options: ListRequestsOptions): RequestPage {
  return database.transaction(() => {
    const total = countRequests(database, options)
    return {
      data: readEntries(database, options, total),
      page: options.page,
      per_page: options.perPage,
      total,
      total_pages: Math.ceil(total / options.perPage),
      ...echoWindow(options),
    }
  })()
}

function countRequests(database: Database, window: Window): number {
  const { sql, parameters } = windowCondition(window)
  const statement = database.prepare<[Window], { total: number }>(
    `SELECT count(*) AS total FROM requests WHERE ${sql}`,
  )
  return statement.get(parameters)?.total ?? 0
}

function readEntries(database: Database, options: ListRequestsOptions, total: number): RequestEntry[] {
  const offset = (options.page - 1) * options.perPage
  // SQLite would step over every row to find that none is left.
  if (offset >= total) return []
  const { sql, parameters } = windowCondition(options)
  const statement = database.prepare<[Window & { limit: number; offset: number }], RequestRow>(
    `SELECT id, timestamp, model, provider, streaming, success, input_tokens, output_tokens, cost_sats, latency_ms,
       stream_duration_ms, error_status, error_message
     FROM requests WHERE ${sql} ORDER BY timestamp DESC, id DESC LIMIT @limit OFFSET @offset`,
  )
  return statement.all({ ...parameters, limit: options.perPage, offset }).map(entry)
}

function entry(row: RequestRow): RequestEntry {
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

import type { Database } from '../storage/database.js'
import { all, type Condition } from './condition.js'
import { QueryError } from './errors.js'
import { checkedFilter, type RequestFilter, rowCondition, timestampColumn } from './filter.js'
import { FULL_COLUMNS, type FullRow, journalPlace, parseLabels } from './full-row.js'

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

/** Rows of one read. Between two of them no snapshot is held, so that the WAL can be checkpointed. */
const PAGE_ROWS = 1000

/**
 * Requests one after the other, however many: those that were there when it began, read a page at a time, so that
 * neither memory nor a read transaction grows.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL, MODEL_NOT_FOUND, PROVIDER_NOT_FOUND, INVALID_ORDER; at the first step
 */
export function* exportRequests(
  database: Database,
  options: ExportOptions = {},
): Generator<ExportedRequest, void, undefined> {
  const { order = 'id', ...asked } = options
  const filter = checkedFilter(database, asked)
  const key = keyOf(order, filter)
  const last = database.prepare<[], number>('SELECT coalesce(max(id), 0) FROM requests').pluck().get() ?? 0
  const upToLast = { sql: 'id <= ?', values: [last] }
  let page = rowCondition(filter)
  for (;;) {
    const { sql, values } = all([page, upToLast])
    const rows = database
      .prepare<unknown[], FullRow>(
        `SELECT ${FULL_COLUMNS} FROM requests ${key.hint} WHERE ${sql} ORDER BY ${key.columns} LIMIT ${PAGE_ROWS}`,
      )
      .all(...values)
    for (const row of rows) yield exportedRequest(row)
    const end = rows.at(-1)
    if (end === undefined || rows.length < PAGE_ROWS) return
    page = key.behind(end)
  }
}

/** How a page is found behind the one before. */
interface ExportKey {
  columns: string
  hint: string
  behind(row: FullRow): Condition
}

function keyOf(order: string, filter: RequestFilter): ExportKey {
  if (order === 'id') {
    return {
      columns: 'id',
      // The few rows of a correlation_id are found by its own index.
      hint: filter.correlationId === undefined ? 'NOT INDEXED' : '',
      behind: ({ id }) => all([rowCondition(filter), { sql: 'id > ?', values: [id] }]),
    }
  }
  if (order === 'timestamp') {
    const column = timestampColumn(filter)
    return {
      columns: `${column}, id`,
      hint: '',
      // In place of the window's lower bound: of two, SQLite may seek by the wider one.
      behind: ({ timestamp, id }) =>
        all([
          rowCondition(filter, { to: filter.until }),
          { sql: `(${column}, id) > (?, ?)`, values: [timestamp, id] },
        ]),
    }
  }
  throw new QueryError('INVALID_ORDER', `Invalid export order '${order}'. Valid options: id, timestamp`)
}

function exportedRequest(row: FullRow): ExportedRequest {
  const place = journalPlace(row.segment_id, row.byte_offset)
  return {
    id: row.id,
    correlation_id: row.correlation_id,
    timestamp: row.timestamp,
    model: row.model,
    provider: row.provider,
    policy: row.policy,
    streaming: row.streaming !== 0,
    success: row.success !== 0,
    input_tokens: row.input_tokens,
    output_tokens: row.output_tokens,
    cost_sats: row.cost_sats,
    provider_cost_sats: row.provider_cost_sats,
    latency_ms: row.latency_ms,
    stream_duration_ms: row.stream_duration_ms,
    error_status: row.error_status,
    error_message: row.error_message,
    labels: parseLabels(row.labels),
    segment: place?.segment ?? null,
    byte_offset: place?.byte_offset ?? null,
  }
}

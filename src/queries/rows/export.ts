import type { RequestLogged } from '../../events/event-types.js'
import type { CostSource, Currency } from '../../folds/costs/row-cost.js'
import { all, type Condition } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { pageOf } from '../../store/sqlite/request-queries.js'
import { detailsOf } from '../../store/sqlite/stored-row.js'
import { oneOf } from '../errors.js'
import {
  checkedFilter,
  type RequestFilter,
  rowCondition,
  timestampColumn,
  windowRange,
} from '../window/filter.js'
import { type FullRow, fullColumns, journalPlace, labelsOf } from './full-row.js'
import { seeksAfter } from './page-end.js'

export interface ExportOptions extends RequestFilter {
  /** @default 'id' */
  order?: 'id' | 'timestamp' | undefined
}

/**
 * One request as it is exported. Its members are named as in the events, so that the command
 * `append` takes it. Its costs are those that sums count, whatever their source; details that it
 * doesn't have are left out.
 */
export interface ExportedRequest extends Omit<RequestLogged, 'type'> {
  id: number
  /** The source of the costs; left out if they are unknown. */
  cost_source?: CostSource
  /** The currency of the source's figure; left out if it has both, or there are no costs. */
  cost_currency?: Currency
  stream_duration_ms: number | null
  /** The place of the request in the journal; null if it isn't from the journal. */
  segment: string | null
  byte_offset: number | null
  /** The place of the completion that changed it last; left out if there is none. */
  completed_segment?: string
  completed_byte_offset?: number
}

const ORDERS = ['id', 'timestamp'] as const

/**
 * How many rows are read at once. No snapshot is held between two reads, so that SQLite can
 * checkpoint the WAL.
 */
const PAGE_ROWS = 1000

/**
 * Reads requests one after the other, however many there are: those that exist when it begins. It
 * reads a page at a time, so that neither memory nor a read transaction grows.
 *
 * @throws QueryError at the first step: INVALID_SINCE, INVALID_UNTIL, INVALID_BEFORE,
 *   MODEL_NOT_FOUND, PROVIDER_NOT_FOUND, INVALID_ORDER
 */
export function* exportRequests(
  database: QueryDatabase,
  options: ExportOptions = {},
): Generator<ExportedRequest, void, undefined> {
  const { order = 'id', ...asked } = options
  const filter = checkedFilter(database, asked)
  const readRows = oneOf(ORDERS, order, 'INVALID_ORDER', 'export order') === 'id' ? rowsById : rowsByTimestamp
  const existsNow = dialectOf(database).isThereNow(database)
  for (let end: FullRow | null = null; ; ) {
    const rows: FullRow[] = pageOf(readRows(database, filter, existsNow, end))
    for (const row of rows) yield exportedRequest(row)
    end = rows.at(-1) ?? null
    if (end === null) return
  }
}

function rowsById(
  database: QueryDatabase,
  filter: RequestFilter,
  existsNow: Condition,
  end: FullRow | null,
): Iterable<FullRow> {
  const { isAfterId, rowKey, unindexed } = dialectOf(database)
  const after = end === null ? [] : [isAfterId(end.id)]
  const { sql, values } = all([rowCondition(database, filter), existsNow, ...after])
  // The few rows with a correlation_id are found by its index.
  const hint = filter.correlationId === undefined ? unindexed : ''
  const statement = database.prepare<unknown[], FullRow>(
    `SELECT ${fullColumns(database)} FROM requests ${hint} WHERE ${sql} ORDER BY ${rowKey} LIMIT ${PAGE_ROWS}`,
  )
  return statement.iterate(...values)
}

function* rowsByTimestamp(
  database: QueryDatabase,
  filter: RequestFilter,
  existsNow: Condition,
  end: FullRow | null,
): Iterable<FullRow> {
  const after = end === null ? null : { key: end.timestamp, id: end.id }
  let left = PAGE_ROWS
  for (const seek of seeksAfter(windowRange(filter), 'asc', after)) {
    const { sql, values } = all([rowCondition(database, filter, seek.range), existsNow, ...seek.ids])
    const statement = database.prepare<unknown[], FullRow>(
      `SELECT ${fullColumns(database)} FROM requests WHERE ${sql} ORDER BY ${timestampColumn(database, filter)}, id LIMIT ?`,
    )
    for (const row of statement.iterate(...values, left)) {
      left--
      yield row
    }
    if (left === 0) return
  }
}

function exportedRequest(row: FullRow): ExportedRequest {
  const place = journalPlace(row.segment_id, row.byte_offset)
  const completed = journalPlace(row.completed_segment_id, row.completed_byte_offset)
  const labels = labelsOf(row)
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
    ...(row.attempt === null ? {} : { attempt: row.attempt }),
    ...(labels === null ? {} : { labels }),
    ...details(row),
    segment: place?.segment ?? null,
    byte_offset: place?.byte_offset ?? null,
    ...(completed && { completed_segment: completed.segment, completed_byte_offset: completed.byte_offset }),
  }
}

/** Returns the members that most requests don't have, if this one does. */
function details(row: FullRow): Partial<ExportedRequest> {
  const { cost_usd, provider_cost_usd, cost_source, cost_currency } = row
  const members = { ...detailsOf(row.details), cost_usd, provider_cost_usd, cost_source, cost_currency }
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null))
}

import type { CompletedRequest, KnownRequest } from '../../folds/changes.js'
import type { RepricedRequest } from '../../folds/costs/repricing.js'
import type { CostSource, Currency, RowCost } from '../../folds/costs/row-cost.js'
import type { NewRequest, StoredRequest } from '../../folds/request-types.js'
import { OUTCOME_COLUMNS } from '../outcome-columns.js'
import type { CopyValue } from './connection/copy-rows.js'

/** The columns of a new row, in the order of `requestValues`. */
export const REQUEST_COLUMNS = [
  'journal',
  'id',
  'correlation_id',
  'attempt',
  'timestamp',
  'model',
  'response_model',
  'provider',
  'policy',
  'service_tier',
  'streaming',
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_1h_input_tokens',
  'audio_input_tokens',
  'image_input_tokens',
  'reasoning_output_tokens',
  'audio_output_tokens',
  'cost_sats',
  'cost_usd',
  'provider_cost_sats',
  'provider_cost_usd',
  'cost_source',
  'cost_currency',
  'latency_ms',
  'success',
  'error_status',
  'error_message',
  'labels',
  'segment_id',
  'byte_offset',
  'price_segment_id',
  'price_byte_offset',
]

/** The values of `REQUEST_COLUMNS` of a new row. */
export function requestValues(
  journal: number,
  { id, event, cost, segmentId, byteOffset }: NewRequest,
): CopyValue[] {
  return [
    journal,
    id,
    event.correlation_id,
    event.attempt ?? null,
    event.timestamp,
    event.model,
    event.response_model ?? null,
    event.provider,
    event.policy,
    event.service_tier ?? null,
    event.streaming,
    event.input_tokens,
    event.output_tokens,
    event.cache_read_input_tokens ?? null,
    event.cache_creation_input_tokens ?? null,
    event.cache_creation_1h_input_tokens ?? null,
    event.audio_input_tokens ?? null,
    event.image_input_tokens ?? null,
    event.reasoning_output_tokens ?? null,
    event.audio_output_tokens ?? null,
    cost.cost_sats,
    cost.cost_usd,
    event.provider_cost_sats,
    event.provider_cost_usd ?? null,
    cost.cost_source,
    cost.cost_currency,
    event.latency_ms,
    event.success,
    event.error_status,
    event.error_message,
    event.labels === undefined ? null : JSON.stringify(event.labels),
    segmentId,
    byteOffset,
    cost.price?.segmentId ?? null,
    cost.price?.byteOffset ?? null,
  ]
}

/** The columns that a price changes. */
const COST_COLUMNS: readonly string[] = [
  'cost_sats',
  'cost_usd',
  'cost_source',
  'cost_currency',
  'price_segment_id',
  'price_byte_offset',
]

/** The columns that a completion overwrites: its values, its place, and the cost that follows. */
const CHANGED_COLUMNS = [
  ...OUTCOME_COLUMNS.filter((column) => !COST_COLUMNS.includes(column)),
  'completed_segment_id',
  'completed_byte_offset',
  ...COST_COLUMNS,
]

/** Overwrites what completions change. Of several changes of one row, the last one counts. */
export const COMPLETE_SQL = changeSql(CHANGED_COLUMNS)
/** Overwrites what prices change. */
export const REPRICE_SQL = changeSql(COST_COLUMNS)

/**
 * The statement that overwrites columns of stored rows. Its parameters are the journal and the rows
 * in JSON.
 */
function changeSql(columns: readonly string[]): string {
  return `UPDATE requests r SET ${columns.map((column) => `${column} = c.${column}`).join(', ')}
    FROM json_populate_recordset(NULL::requests, $2) c
    WHERE r.journal = $1 AND r.id = c.id AND r.timestamp = c.timestamp`
}

/** Returns the rows for `COMPLETE_SQL`. */
export function outcomeRows(completed: readonly CompletedRequest[]): object[] {
  const last = new Map(completed.map((request) => [request.before.id, request]))
  return [...last.values()].map(({ before, after, by: { completion, place } }) => {
    const { completedBy, price, labels, ...columns } = after
    return {
      ...columns,
      ...costRow(after),
      id: before.id,
      error_status: completion.error_status,
      error_message: completion.error_message,
      completed_segment_id: place.segmentId,
      completed_byte_offset: place.byteOffset,
    }
  })
}

/** Returns the rows for `REPRICE_SQL`. */
export function costRows(repriced: readonly RepricedRequest[]): object[] {
  return repriced.map(({ before: { id, timestamp }, cost }) => ({ id, timestamp, ...costRow(cost) }))
}

function costRow({ cost_sats, cost_usd, cost_source, cost_currency, price }: RowCost): object {
  return {
    ...{ cost_sats, cost_usd, cost_source, cost_currency },
    price_segment_id: price?.segmentId ?? null,
    price_byte_offset: price?.byteOffset ?? null,
  }
}

/** A row of `STORED_COLUMNS`. */
interface StoredColumns {
  id: number
  attempt: number | null
  timestamp: string
  model: string
  response_model: string | null
  provider: string | null
  policy: string | null
  service_tier: string | null
  streaming: boolean
  input_tokens: number | null
  output_tokens: number | null
  cache_read_input_tokens: number | null
  cache_creation_input_tokens: number | null
  cache_creation_1h_input_tokens: number | null
  audio_input_tokens: number | null
  image_input_tokens: number | null
  reasoning_output_tokens: number | null
  audio_output_tokens: number | null
  cost_sats: number | null
  cost_usd: number | null
  provider_cost_sats: number | null
  provider_cost_usd: number | null
  cost_source: CostSource | null
  cost_currency: Currency | null
  latency_ms: number
  success: boolean
  stream_duration_ms: number | null
  completed_segment_id: number | null
  completed_byte_offset: number | null
  labels: string | null
  segment_id: number
  byte_offset: number
  price_segment_id: number | null
  price_byte_offset: number | null
}

const COLUMNS = [
  'id',
  'attempt',
  'timestamp',
  'model',
  'response_model',
  'provider',
  'policy',
  'service_tier',
  'streaming',
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_1h_input_tokens',
  'audio_input_tokens',
  'image_input_tokens',
  'reasoning_output_tokens',
  'audio_output_tokens',
  'cost_sats',
  'cost_usd',
  'provider_cost_sats',
  'provider_cost_usd',
  'cost_source',
  'cost_currency',
  'latency_ms',
  'success',
  'stream_duration_ms',
  'completed_segment_id',
  'completed_byte_offset',
  'labels',
  'segment_id',
  'byte_offset',
  'price_segment_id',
  'price_byte_offset',
] as const satisfies readonly (keyof StoredColumns)[]

/** What a SELECT names to give rows for `storedRequestOf`. */
export const STORED_COLUMNS = COLUMNS.join(', ')

export type StoredRow = ValuesOf<typeof COLUMNS>
type ValuesOf<Names extends readonly (keyof StoredColumns)[]> = {
  -readonly [Index in keyof Names]: StoredColumns[Names[Index]]
}

/** Reads a row for the folds. */
export function storedRequestOf(row: StoredRow): StoredRequest {
  const columns = Object.fromEntries(
    COLUMNS.map((name, index) => [name, row[index]]),
  ) as unknown as StoredColumns
  const {
    labels,
    segment_id,
    byte_offset,
    completed_segment_id,
    completed_byte_offset,
    price_segment_id,
    price_byte_offset,
    ...values
  } = columns
  return {
    ...values,
    ...(labels === null ? {} : { labels: JSON.parse(labels) }),
    isCompleted: completed_segment_id !== null,
    place: { segmentId: segment_id, byteOffset: byte_offset },
    isCounted: true,
    completedBy: placeOf(completed_segment_id, completed_byte_offset),
    price: placeOf(price_segment_id, price_byte_offset),
  }
}

function placeOf(segmentId: number | null, byteOffset: number | null): StoredRequest['completedBy'] {
  return segmentId === null || byteOffset === null ? null : { segmentId, byteOffset }
}

/** A row, and what it was looked for by. */
export type CandidateRow = [correlationId: string, newer: number, ...row: StoredRow]

/** Puts rows in the order of `Known.requests`, where each of these ids has a list. */
export function candidatesOf(
  ids: Iterable<string>,
  rows: readonly CandidateRow[],
): Map<string, KnownRequest[]> {
  const requests = new Map<string, KnownRequest[]>([...ids].map((id) => [id, []]))
  for (const [correlationId, newer, ...row] of rows) {
    requests.get(correlationId)?.push({ request: storedRequestOf(row), newer })
  }
  return requests
}

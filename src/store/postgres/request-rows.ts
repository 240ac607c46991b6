import type { CompletedRequest } from '../../folds/changes.js'
import type { RepricedRequest } from '../../folds/costs/repricing.js'
import type { RowCost } from '../../folds/costs/row-cost.js'
import type { NewRequest } from '../../folds/stored-request.js'
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

/** A new row's values, in the order of `REQUEST_COLUMNS`. */
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

/**
 * The columns that a completion overwrites: its values, its place, and the cost that follows from
 * them.
 */
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
    cost_sats,
    cost_usd,
    cost_source,
    cost_currency,
    price_segment_id: price?.segmentId ?? null,
    price_byte_offset: price?.byteOffset ?? null,
  }
}

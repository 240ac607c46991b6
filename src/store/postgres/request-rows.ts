import type { CompletedRequest } from '../../folds/changes.js'
import type { RepricedRequest } from '../../folds/costs/repricing.js'
import type { RowCost } from '../../folds/costs/row-cost.js'
import type { NewRequest, StoredRequest } from '../../folds/stored-request.js'
import { OUTCOME_COLUMNS } from '../outcome-columns.js'
import type { CopyValue } from './connection/copy-rows.js'

/** A new row, by the names of its columns. */
export function requestRow(
  journal: number,
  { id, event, cost, segmentId, byteOffset }: NewRequest,
): Record<string, CopyValue> {
  return {
    journal,
    id,
    correlation_id: event.correlation_id,
    attempt: event.attempt ?? null,
    timestamp: event.timestamp,
    model: event.model,
    response_model: event.response_model ?? null,
    provider: event.provider,
    policy: event.policy,
    service_tier: event.service_tier ?? null,
    streaming: event.streaming,
    input_tokens: event.input_tokens,
    output_tokens: event.output_tokens,
    cache_read_input_tokens: event.cache_read_input_tokens ?? null,
    cache_creation_input_tokens: event.cache_creation_input_tokens ?? null,
    cache_creation_1h_input_tokens: event.cache_creation_1h_input_tokens ?? null,
    audio_input_tokens: event.audio_input_tokens ?? null,
    image_input_tokens: event.image_input_tokens ?? null,
    reasoning_output_tokens: event.reasoning_output_tokens ?? null,
    audio_output_tokens: event.audio_output_tokens ?? null,
    cost_sats: cost.cost_sats,
    cost_usd: cost.cost_usd,
    provider_cost_sats: event.provider_cost_sats,
    provider_cost_usd: event.provider_cost_usd ?? null,
    cost_source: cost.cost_source,
    cost_currency: cost.cost_currency,
    latency_ms: event.latency_ms,
    success: event.success,
    error_status: event.error_status,
    error_message: event.error_message,
    labels: event.labels === undefined ? null : JSON.stringify(event.labels),
    segment_id: segmentId,
    byte_offset: byteOffset,
    price_segment_id: cost.price?.segmentId ?? null,
    price_byte_offset: cost.price?.byteOffset ?? null,
  }
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

/** The columns that a new row must have, besides those that a change is about. */
const REQUIRED_COLUMNS = [
  'journal',
  'id',
  'timestamp',
  'correlation_id',
  'model',
  'streaming',
  'latency_ms',
  'success',
  'segment_id',
  'byte_offset',
]

/** Overwrites what completions change. If several of them change one row, the last one counts. */
export const COMPLETE_SQL = changeSql(CHANGED_COLUMNS)
/** Overwrites what prices change. */
export const REPRICE_SQL = changeSql(COST_COLUMNS)

/** The place of a row that isn't stored. */
const NOWHERE = -1

/**
 * The statement that overwrites columns of stored rows, which it gets in JSON, and returns the
 * places that they have in the journal. It finds them as an upsert does. If it joined them, the
 * server might plan, while a month's partition is nearly empty, to read all rows of the journal,
 * and would keep that plan: 80,000 requests, half of them streams, took 14 s instead of 5. It names
 * only columns of request-journal, since one that somebody has added may be generated, or NOT NULL
 * with a default.
 */
function changeSql(columns: readonly string[]): string {
  const inserted = [...new Set([...REQUIRED_COLUMNS, ...columns])].join(', ')
  return `INSERT INTO requests (${inserted}) SELECT ${inserted} FROM json_populate_recordset(NULL::requests, $1)
    ON CONFLICT (journal, id, timestamp)
      DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}
    RETURNING byte_offset`
}

/** Whether a change found no stored row, and has made one that must not be committed. */
export function isUnstored({ byte_offset }: { byte_offset: number }): boolean {
  return byte_offset === NOWHERE
}

/** Returns the rows for `COMPLETE_SQL`. */
export function outcomeRows(completed: readonly CompletedRequest[]): object[] {
  const last = new Map(completed.map((request) => [request.before.id, request]))
  return [...last.values()].map(({ before, after, by: { completion, place } }) => ({
    ...changedRow(before, { ...after, ...costRow(after) }),
    error_status: completion.error_status,
    error_message: completion.error_message,
    completed_segment_id: place.segmentId,
    completed_byte_offset: place.byteOffset,
  }))
}

/** Returns the rows for `REPRICE_SQL`. */
export function costRows(repriced: readonly RepricedRequest[]): object[] {
  return repriced.map(({ before, cost }) => changedRow(before, costRow(cost)))
}

/** A row with its key, its changed columns, and any value in the others that can't be null. */
function changedRow({ id, timestamp }: StoredRequest, changed: object): object {
  const others = { correlation_id: '', model: '', streaming: false, latency_ms: 0, success: false }
  return { ...others, ...changed, id, timestamp, labels: null, segment_id: NOWHERE, byte_offset: NOWHERE }
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

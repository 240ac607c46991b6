import type { RequestLogged } from '../../events/event-types.js'
import type { NewRequest } from '../../folds/request.js'
import type { Database } from './connection/database.js'
import { RowQueue, type RowValue } from './row-queue.js'

const COLUMNS = [
  'id',
  'correlation_id',
  'attempt',
  'timestamp',
  'model',
  'provider',
  'policy',
  'streaming',
  'input_tokens',
  'output_tokens',
  'cost_sats',
  'provider_cost_sats',
  'latency_ms',
  'success',
  'error_status',
  'error_message',
  'labels',
  'segment_id',
  'byte_offset',
] as const

/** Requests that are inserted several at a time, each a `requestRow`. */
export function requestQueue(database: Database): RowQueue {
  return new RowQueue(database, 'requests', COLUMNS)
}

function labelsColumn({ labels }: RequestLogged): string | null {
  return labels === undefined ? null : JSON.stringify(labels)
}

export function requestRow({ id, event, segmentId, byteOffset }: NewRequest): RowValue[] {
  return [
    id,
    event.correlation_id,
    event.attempt ?? null,
    event.timestamp,
    event.model,
    event.provider,
    event.policy,
    event.streaming ? 1 : 0,
    event.input_tokens,
    event.output_tokens,
    event.cost_sats,
    event.provider_cost_sats,
    event.latency_ms,
    event.success ? 1 : 0,
    event.error_status,
    event.error_message,
    labelsColumn(event),
    segmentId,
    byteOffset,
  ]
}

/** What a request has in the database, in the order of `insertValues`. */
export const REQUEST_COLUMNS = /** @type {const} */ ([
  'correlation_id',
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
])

/**
 * @param {any} event
 * @param {number} segmentId
 * @param {number} byteOffset
 */
export function insertValues(event, segmentId, byteOffset) {
  return [
    event.correlation_id,
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
    event.labels === undefined ? null : JSON.stringify(event.labels),
    segmentId,
    byteOffset,
  ]
}

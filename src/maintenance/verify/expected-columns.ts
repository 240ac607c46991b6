import type { RequestLogged } from '../../events/event-types.js'
import type { PlacedCompletion } from '../../events/placed.js'

type Completion = PlacedCompletion['completion']

/** What the journal says of some columns of a row. */
export type ExpectedColumns = Record<string, string | number | null>

/** The columns that only the request's own line fills. */
export function requestColumns(event: RequestLogged): ExpectedColumns {
  return {
    correlation_id: event.correlation_id,
    attempt: event.attempt ?? null,
    timestamp: event.timestamp,
    model: event.model,
    provider: event.provider,
    policy: event.policy,
    streaming: Number(event.streaming),
    latency_ms: event.latency_ms,
    labels: event.labels === undefined ? null : JSON.stringify(event.labels),
  }
}

/** The columns that a completion overwrites, of a request that none has completed. */
export function uncompletedColumns(event: RequestLogged): ExpectedColumns {
  return {
    ...outcomeColumns(event),
    success: Number(event.success),
    stream_duration_ms: null,
    completed_segment_id: null,
    completed_byte_offset: null,
  }
}

/** The columns that a completion overwrites. Without `success` where it doesn't say it: then an earlier value stays. */
export function completionColumns(event: Completion): ExpectedColumns {
  return {
    correlation_id: event.correlation_id,
    ...outcomeColumns(event),
    stream_duration_ms: event.stream_duration_ms,
    ...(event.success === null ? {} : { success: Number(event.success) }),
  }
}

/** The columns of a completion that is held. */
export function heldColumns(event: Completion): ExpectedColumns {
  return {
    ...completionColumns(event),
    attempt: event.attempt ?? null,
    success: event.success === null ? null : Number(event.success),
  }
}

function outcomeColumns(event: RequestLogged | Completion): ExpectedColumns {
  return {
    input_tokens: event.input_tokens,
    output_tokens: event.output_tokens,
    cost_sats: event.cost_sats,
    provider_cost_sats: event.provider_cost_sats,
    error_status: event.error_status,
    error_message: event.error_message,
  }
}

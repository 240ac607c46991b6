import type { RequestLogged } from '../events/event-types.js'
import type { Place } from '../events/placed.js'

/** The values of a request that sums depend on and that a completion can change. */
export interface RequestOutcome {
  success: boolean
  /** Null: unknown. */
  input_tokens: number | null
  output_tokens: number | null
  cost_sats: number | null
  /** In milliseconds; null or left out: not told. */
  stream_duration_ms?: number | null
  /**
   * Whether a stream_completed has changed it.
   * @default false
   */
  isCompleted?: boolean
}

/** The values of a request that sums depend on. A `request_logged` has them all. */
export interface CountedRequest extends RequestOutcome {
  /** Canonical: UTC with milliseconds. */
  timestamp: string
  model: string
  provider: string | null
  policy: string | null
  streaming: boolean
  latency_ms: number
  labels?: Readonly<Record<string, string>>
}

/** The values of a row that the fold of a completion depends on. */
export interface StoredRequest extends CountedRequest {
  /** Rows get ascending ids: the newest row of a correlation_id has the highest. */
  id: number
  /** Null: not told. */
  attempt: number | null
  /** Null: the row isn't from the journal. */
  place: Place | null
  /**
   * Whether the sums have it: they lack rows that other programs have added since the journal
   * began.
   */
  isCounted: boolean
  /** The place of the completion that changed the row last; null if none has. */
  completedBy: Place | null
}

/** A request that gets a row. */
export interface NewRequest extends Place {
  id: number
  event: RequestLogged
}

/** The row of a new request, as a completion finds it. */
export function storedRequest({ id, event, segmentId, byteOffset }: NewRequest): StoredRequest {
  const { timestamp, model, provider, policy, streaming, latency_ms, labels } = event
  const { success, input_tokens, output_tokens, cost_sats, attempt = null } = event
  return {
    id,
    attempt,
    timestamp,
    model,
    provider,
    policy,
    streaming,
    latency_ms,
    ...(labels === undefined ? {} : { labels }),
    success,
    input_tokens,
    output_tokens,
    cost_sats,
    place: { segmentId, byteOffset },
    isCounted: true,
    completedBy: null,
  }
}

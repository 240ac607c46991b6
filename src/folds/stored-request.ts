import type { RequestLogged } from '../events/event-types.js'
import type { Place } from '../events/place.js'
import type { CostFacts, RowCost } from './costs/row-cost.js'
import type { Usage } from './costs/usage-cost.js'

/** The costs of a request that sums use, whatever their source. Null: unknown. */
export type Costs = Pick<RowCost, 'cost_sats' | 'cost_usd'>

/**
 * The values of a request that sums depend on and that a completion can change, except its costs.
 */
export interface RequestOutcome extends Usage {
  /** In milliseconds; null or left out: not given. */
  stream_duration_ms?: number | null
  /** Whether a stream_completed has changed it. @default false */
  isCompleted?: boolean
}

/**
 * The values of a request that sums depend on, except its costs. A `request_logged` has them all.
 */
export interface CountedRequest extends RequestOutcome {
  /** Canonical: UTC with milliseconds. */
  timestamp: string
  model: string
  provider: string | null
  policy: string | null
  streaming: boolean
  latency_ms: number
  /** 0 for the first try; null or left out: not given. */
  attempt?: number | null
  labels?: Readonly<Record<string, string>>
}

/** The values of a row that the fold of a completion depends on. */
export interface StoredRequest extends CountedRequest, CostFacts, RowCost {
  /** Rows get ascending ids, so the newest row of a correlation_id has the highest. */
  id: number
  /** Null: not given. */
  attempt: number | null
  /** Null: the row didn't come from the journal. */
  place: Place | null
  /**
   * Whether the sums include it. They don't include rows that other programs added after the
   * journal began.
   */
  isInSums: boolean
  /** The place of the completion that changed the row last; null if none has. */
  completedBy: Place | null
}

/** A request that gets a row. */
export interface NewRequest extends Place {
  id: number
  event: RequestLogged
  cost: RowCost
}

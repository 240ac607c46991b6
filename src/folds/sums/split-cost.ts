import type { Costs } from '../stored-request.js'
import { MAX_COST } from './sum-limits.js'

const BILLION = 1_000_000_000

/**
 * A cost as roll-ups sum it, in integers, so that the same requests have the same sum, in whatever
 * order they came and whether or not they were corrected.
 */
export interface SplitCost {
  /** Whole satoshis or dollars, cut toward zero. */
  whole: number
  /** The rest in billionths, rounded; of the same sign. */
  billionths: number
}

/** The costs of a request in both currencies. Null: unknown. */
export interface SplitCosts {
  sats: SplitCost | null
  usd: SplitCost | null
}

export function splitCosts({ cost_sats, cost_usd }: Costs): SplitCosts {
  return {
    sats: cost_sats === null ? null : splitCost(cost_sats),
    usd: cost_usd === null ? null : splitCost(cost_usd),
  }
}

/** A cost in billionths, as exactly as roll-ups sum it. */
export function billionthsOf(cost: number): bigint {
  const { whole, billionths } = splitCost(cost)
  return BigInt(whole) * 1_000_000_000n + BigInt(billionths)
}

/** Splits a cost. SQL's twins are the dialect's `wholeCost` and `costBillionths`. */
export function splitCost(cost: number): SplitCost {
  const limited = Math.max(-MAX_COST, Math.min(cost, MAX_COST))
  const whole = Math.trunc(limited)
  const rest = (limited - whole) * BILLION
  // SQLite rounds half away from zero; Math.round would round half up. Adding 0 turns -0 into 0.
  return { whole: whole + 0, billionths: Math.trunc(rest + (rest < 0 ? -0.5 : 0.5)) + 0 }
}

import { MAX_COST_SATS } from './sum-limits.js'

const NANOSATS = 1_000_000_000

/**
 * A cost as roll-ups sum it: integers, so that neither the order of requests nor a correction can
 * change a sum.
 */
export interface CostParts {
  /** Whole satoshis, cut toward zero. */
  sats: number
  /** The rest in billionths, rounded; of the same sign. */
  nanosats: number
}

/**
 * Splits a cost; an unknown one counts as 0. SQLite's twins are in store/sqlite/sql-expressions.ts.
 */
export function costParts(costSats: number | null): CostParts {
  if (costSats === null) return { sats: 0, nanosats: 0 }
  const cost = Math.max(-MAX_COST_SATS, Math.min(costSats, MAX_COST_SATS))
  const sats = Math.trunc(cost)
  const rest = (cost - sats) * NANOSATS
  // SQLite rounds half away from zero; Math.round would round half up.
  return { sats: sats + 0, nanosats: Math.trunc(rest + (rest < 0 ? -0.5 : 0.5)) + 0 }
}

/** The cost in satoshis that parts, or sums of them, stand for. */
export function costOf({ sats, nanosats }: CostParts): number {
  return sats + nanosats / NANOSATS
}

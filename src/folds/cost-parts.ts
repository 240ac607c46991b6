import { MAX_COST_SATS } from './whole-number.js'

const NANOSATS = 1_000_000_000

/** A cost as roll-ups sum it: integers, so that neither the order of requests nor a correction can change a sum. */
export interface CostParts {
  /** Whole satoshis, cut toward zero. */
  sats: number
  /** The rest in billionths, rounded; of the same sign. */
  nanosats: number
}

/** The same arithmetic as {@link costSatsSql} and {@link costNanosatsSql}. An unknown cost adds nothing. */
export function costParts(costSats: number | null): CostParts {
  if (costSats === null) return { sats: 0, nanosats: 0 }
  const cost = Math.max(-MAX_COST_SATS, Math.min(costSats, MAX_COST_SATS))
  const sats = Math.trunc(cost)
  const rest = (cost - sats) * NANOSATS
  // As SQLite rounds, half away from zero: Math.round would round half up.
  return { sats: sats + 0, nanosats: Math.trunc(rest + (rest < 0 ? -0.5 : 0.5)) + 0 }
}

/** What the parts, or sums of them, stand for, in satoshis. */
export function costOf({ sats, nanosats }: CostParts): number {
  return sats + nanosats / NANOSATS
}

/** The whole satoshis of a column as an SQL expression; 0 for null. */
export function costSatsSql(column: string): string {
  return `CAST(${limitedSql(column)} AS INTEGER)`
}

/** The billionths of a column as an SQL expression; 0 for null. */
export function costNanosatsSql(column: string): string {
  const cost = limitedSql(column)
  return `CAST(round((${cost} - CAST(${cost} AS INTEGER)) * 1e9) AS INTEGER)`
}

function limitedSql(column: string): string {
  const limit = MAX_COST_SATS.toFixed(1)
  return `max(-${limit}, min(${limit}, coalesce(${column}, 0) * 1.0))`
}

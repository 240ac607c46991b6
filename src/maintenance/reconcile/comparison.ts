import { grouped } from '../../folds/grouped.js'
import type { ModelCosts } from '../../queries/costs/model-costs.js'
import { billionthsOf, billionthsText } from './amount.js'
import type { Billed } from './bill.js'
import { isWithin, sizeOf, type Tolerance } from './tolerance.js'

/** A model on one day, on both sides. Amounts are billionths. */
export interface Entry {
  day: string
  key: string
  /** Null: the bill's lines name no model. */
  name: string | null
  billed: Billed | undefined
  logged: Logged | undefined
}

export interface Logged extends ModelCosts {
  /** The model's name in the log. */
  name: string
}

/**
 * What was billed and what was logged, with amounts of money as exact decimal texts: `12.5`. Null:
 * that side has nothing, or nothing that is known.
 */
export interface ReconciledAmounts {
  billed: string | null
  /** Requests without a known cost add nothing. */
  logged: string | null
  /** Billed less logged; a side without an amount counts as 0. */
  difference: string
  /** Logged requests. */
  requests: number
  /** Logged requests without a known cost, and how many of these failed. */
  unpriced: number
  unpriced_error: number
  /** Only when the bill has tokens; requests with an unknown number of tokens add none. */
  billed_tokens?: number
  logged_tokens?: number
  unknown_tokens?: number
}

/** A model, in the log's spelling where the log has it; null: the bill's lines name no model. */
export interface ReconciledModel extends ReconciledAmounts {
  model: string | null
}

/** A model on one day. */
export interface ReconciledRow extends ReconciledModel {
  /** `2026-11-22` */
  day: string
  side: 'both' | 'billed_only' | 'logged_only'
  /** Whether the difference is over the tolerance. */
  is_over: boolean
  /**
   * Whether the bill's rounding explains the difference: it is at most half a unit of the bill's last
   * digit for each of its lines.
   */
  is_rounding: boolean
}

export interface ReconciledDay extends ReconciledAmounts {
  day: string
}

/** @param halfUnit half a unit of the bill's last digit, in billionths. */
export function compareEntry(
  entry: Entry,
  tolerance: Tolerance,
  halfUnit: bigint,
  hasTokens: boolean,
): ReconciledRow {
  const { day } = entry
  const sums = sumOf([entry])
  return {
    day,
    model: entry.name,
    ...amountsOf(sums, hasTokens),
    side: sideOf(entry),
    is_over: !isWithin(tolerance, sums.billed - sums.logged, sums.billed),
    is_rounding: isRounding(entry, halfUnit),
  }
}

function sideOf({ billed, logged }: Entry): ReconciledRow['side'] {
  if (billed === undefined) return 'logged_only'
  return logged === undefined ? 'billed_only' : 'both'
}

/**
 * How much rounding can change the bill's sum of an entry. A bill may leave out a line that is
 * rounded to 0.
 */
export function roundingOf({ billed }: Entry, halfUnit: bigint): bigint {
  return BigInt(billed?.lines ?? 1) * halfUnit
}

export function isRounding(entry: Entry, halfUnit: bigint): boolean {
  const { billed, logged } = sumOf([entry])
  return billed !== logged && sizeOf(billed - logged) <= roundingOf(entry, halfUnit)
}

/** Sums entries, those with the largest differences first. */
export function sumsBy(entries: readonly Entry[], of: (entry: Entry) => string): [Entry, EntrySums][] {
  const groups = [...grouped(entries, of).values()]
  const sums = groups.map((group): [Entry, EntrySums] => [group[0] as Entry, sumOf(group)])
  return sums.sort(([, a], [, b]) => compareSizes(b.billed - b.logged, a.billed - a.logged))
}

function compareSizes(a: bigint, b: bigint): number {
  return Number(sizeOf(a) > sizeOf(b)) - Number(sizeOf(a) < sizeOf(b))
}

/** Sums over days or models. */
export interface EntrySums {
  billed: bigint
  logged: bigint
  hasBilled: boolean
  hasLogged: boolean
  requests: number
  unpriced: number
  unpricedFailures: number
  billedTokens: bigint | null
  loggedTokens: bigint
  unknownTokens: number
}

/** A bill is rounded to billionths here, once for each day and model. */
export function sumOf(entries: readonly Entry[]): EntrySums {
  const sums: EntrySums = {
    billed: 0n,
    logged: 0n,
    hasBilled: false,
    hasLogged: false,
    requests: 0,
    unpriced: 0,
    unpricedFailures: 0,
    billedTokens: null,
    loggedTokens: 0n,
    unknownTokens: 0,
  }
  for (const { billed, logged } of entries) {
    if (billed !== undefined) {
      sums.hasBilled = true
      sums.billed += billionthsOf(billed.cost)
      if (billed.tokens !== null) sums.billedTokens = (sums.billedTokens ?? 0n) + billed.tokens
    }
    if (logged === undefined) continue
    sums.logged += logged.cost
    sums.hasLogged ||= logged.requests > logged.unpriced
    sums.requests += logged.requests
    sums.unpriced += logged.unpriced
    sums.unpricedFailures += logged.unpricedFailures
    sums.loggedTokens += logged.tokens
    sums.unknownTokens += logged.unknownTokens
  }
  return sums
}

export function amountsOf(sums: EntrySums, hasTokens: boolean): ReconciledAmounts {
  return {
    billed: sums.hasBilled ? billionthsText(sums.billed) : null,
    logged: sums.hasLogged ? billionthsText(sums.logged) : null,
    difference: billionthsText(sums.billed - sums.logged),
    requests: sums.requests,
    unpriced: sums.unpriced,
    unpriced_error: sums.unpricedFailures,
    ...(hasTokens
      ? {
          billed_tokens: Number(sums.billedTokens ?? 0n),
          logged_tokens: Number(sums.loggedTokens),
          unknown_tokens: sums.unknownTokens,
        }
      : {}),
  }
}

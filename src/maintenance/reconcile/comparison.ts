import { grouped } from '../../folds/grouped.js'
import { addCosts, type ModelCosts } from '../../queries/costs/model-costs.js'
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
  const { day, name, billed, logged } = entry
  const sums = sumOf([entry])
  return {
    day,
    model: name,
    ...amountsOf(sums, hasTokens),
    side: billed === undefined ? 'logged_only' : logged === undefined ? 'billed_only' : 'both',
    is_over: !isWithin(tolerance, sums.difference, sums.billed),
    is_rounding: isRounding(entry, halfUnit),
  }
}

/**
 * How much rounding can change the bill's sum of an entry. A bill may leave out a line that is
 * rounded to 0.
 */
export function roundingOf({ billed }: Entry, halfUnit: bigint): bigint {
  return BigInt(billed?.lines ?? 1) * halfUnit
}

export function isRounding(entry: Entry, halfUnit: bigint): boolean {
  const { difference } = sumOf([entry])
  return difference !== 0n && sizeOf(difference) <= roundingOf(entry, halfUnit)
}

/** Sums entries, those with the largest differences first. */
export function sumsBy(entries: readonly Entry[], of: (entry: Entry) => string): [Entry, EntrySums][] {
  return [...grouped(entries, of).values()]
    .map((group): [Entry, EntrySums] => [group[0] as Entry, sumOf(group)])
    .sort(([, a], [, b]) => (sizeOf(a.difference) > sizeOf(b.difference) ? -1 : 1))
}

/** Sums over days or models. */
export interface EntrySums {
  billed: bigint
  hasBilled: boolean
  billedTokens: bigint | null
  logged: ModelCosts
  /** Billed less logged. */
  difference: bigint
}

const NOTHING_LOGGED: ModelCosts = {
  requests: 0,
  cost: 0n,
  unpriced: 0,
  unpricedFailures: 0,
  tokens: 0n,
  unknownTokens: 0,
}

/** A bill is rounded to billionths here, once for each day and model. */
export function sumOf(entries: readonly Entry[]): EntrySums {
  let [billed, hasBilled, logged] = [0n, false, NOTHING_LOGGED]
  let billedTokens: bigint | null = null
  for (const entry of entries) {
    if (entry.logged !== undefined) logged = addCosts(logged, entry.logged)
    if (entry.billed === undefined) continue
    const { cost, tokens } = entry.billed
    hasBilled = true
    billed += billionthsOf(cost)
    if (tokens !== null) billedTokens = (billedTokens ?? 0n) + tokens
  }
  return { billed, hasBilled, billedTokens, logged, difference: billed - logged.cost }
}

export function amountsOf(sums: EntrySums, hasTokens: boolean): ReconciledAmounts {
  const { billed, hasBilled, billedTokens, difference } = sums
  const { requests, cost, unpriced, unpricedFailures, tokens, unknownTokens } = sums.logged
  return {
    billed: hasBilled ? billionthsText(billed) : null,
    logged: requests > unpriced ? billionthsText(cost) : null,
    difference: billionthsText(difference),
    requests,
    unpriced,
    unpriced_error: unpricedFailures,
    ...(hasTokens && {
      billed_tokens: Number(billedTokens ?? 0n),
      logged_tokens: Number(tokens),
      unknown_tokens: unknownTokens,
    }),
  }
}

import type { Database } from '../storage/database.js'
import { checkedFilter, foldCase, type RequestFilter } from './filter.js'
import { UNKNOWN_GROUP } from './grouping.js'
import { startOfPeriod } from './periods.js'
import { type Groups, groupsFor, type StatsGroupBy } from './stats-groups.js'
import { sumOf, type Tallies, tallyRequests } from './tallies.js'
import { Tally } from './tally.js'
import { type EchoedWindow, echoWindow } from './window.js'

/** What the API that this one follows says of an empty window. */
const EMPTY = 'No requests found in the specified time range'

export interface StatsOptions extends RequestFilter {
  /** @default only the whole is counted */
  groupBy?: StatsGroupBy | undefined
  /** Adds percentiles of the latency. @default false */
  percentiles?: boolean | undefined
  /** Adds how many requests have no known cost. @default false */
  unpriced?: boolean | undefined
  /** Adds how many requests have something that isn't known, and how many streams have no end. @default false */
  unknown?: boolean | undefined
}

/** Counts, costs and performance of some requests. Sums are 0, never null, where nothing is known. */
export interface StatsSection {
  counts: {
    total: number
    success: number
    error: number
    streaming: number
    /** Requests whose cost is unknown; only when asked for. */
    unpriced?: number
    /** Those of them that failed. This and the following are there only with `unknown`. */
    unpriced_error?: number
    /** Requests whose number of tokens is unknown. */
    unknown_input_tokens?: number
    unknown_output_tokens?: number
    /** Streams without an end that began within the last hour, and before that. */
    open?: number
    unfinished?: number
  }
  /** Costs in satoshis. What is unknown adds nothing. */
  costs: { total_cost_sats: number; total_input_tokens: number; total_output_tokens: number }
  performance: {
    /** Not rounded, failures included; 0 for no requests. */
    avg_latency_ms: number
    /** Within 1/64 of the latency by nearest rank; null for no requests. Only when asked for. */
    p50_latency_ms?: number | null
    p95_latency_ms?: number | null
    p99_latency_ms?: number | null
  }
}

/** The body of `GET /v1/stats`. At most one of its groups is there: the one asked for. */
export interface Stats extends StatsSection, EchoedWindow {
  /** There only when nothing matched. */
  empty?: true
  message?: string
  /**
   * Every model in the database, zeroed when quiet, under the spelling that came first. All filters apply but the
   * model's.
   */
  models?: Record<string, StatsSection>
  /** By the label `tier`: `local`, `standard` and `frontier` always, `unknown` when a request has none. */
  tiers?: Record<string, StatsSection>
  /** Those with requests; `unknown` has those without one, here and below. */
  providers?: Record<string, StatsSection>
  policies?: Record<string, StatsSection>
  /** By the value of the label asked for. */
  labels?: Record<string, StatsSection>
  /** Those with requests, in order, by their beginning: `2026-11-22T19:00:00.000Z`. */
  hours?: Record<string, StatsSection>
  /** Those with requests, in order: `2026-11-22`. */
  days?: Record<string, StatsSection>
}

/**
 * Counts the requests of a window: whole and groups from one read transaction and one set of sums, so that the groups
 * add up.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL, INVALID_BEFORE, MODEL_NOT_FOUND, PROVIDER_NOT_FOUND, INVALID_GROUP_BY, in this order
 */
export function stats(database: Database, options: StatsOptions = {}): Stats {
  return database.transaction(() => {
    const filter = checkedFilter(database, options)
    const groups = options.groupBy === undefined ? null : groupsFor(database, options.groupBy)
    const isByModel = groups?.section === 'models'
    const tallies = tallyRequests(database, {
      // Every model has its group, whichever one the whole is about.
      filter: isByModel ? { ...filter, model: undefined } : filter,
      grouping: groups?.grouping,
      period: groups?.period,
      latencies: options.percentiles,
      unknown: options.unknown,
    })
    const byName = groups?.period === undefined ? (tallies.get('') ?? new Map()) : sumsByPeriod(tallies)
    const whole =
      isByModel && filter.model !== undefined ? ofName(byName, filter.model) : sumOf(byName.values())
    return {
      ...echoWindow(options),
      ...(whole.requests === 0 ? { empty: true as const, message: EMPTY } : {}),
      ...section(whole, options),
      ...(groups === null ? {} : { [groups.section]: sections(byName, groups, options) }),
    }
  })()
}

/** The group of a name in any ASCII case. */
function ofName(byName: ReadonlyMap<string, Tally>, name: string): Tally {
  const folded = foldCase(name)
  for (const [group, tally] of byName) if (foldCase(group) === folded) return tally
  return new Tally()
}

function sumsByPeriod(tallies: Tallies): Map<string, Tally> {
  return new Map([...tallies].map(([start, groups]) => [startOfPeriod(start), sumOf(groups.values())]))
}

/** Those that are always there first, then by name, and those of which nothing is known last. */
function sections(
  byName: ReadonlyMap<string, Tally>,
  { always }: Groups,
  options: StatsOptions,
): Record<string, StatsSection> {
  const others = [...byName.keys()].filter((name) => !always.includes(name)).sort()
  const names = [...always, ...others.filter((name) => name !== UNKNOWN_GROUP)]
  if (others.includes(UNKNOWN_GROUP)) names.push(UNKNOWN_GROUP)
  // fromEntries, because assigning to a key named __proto__ would set a prototype instead.
  return Object.fromEntries(names.map((name) => [name, section(byName.get(name) ?? new Tally(), options)]))
}

function section(tally: Tally, { percentiles, unpriced, unknown }: StatsOptions): StatsSection {
  return {
    counts: {
      total: tally.requests,
      success: tally.requests - tally.failures,
      error: tally.failures,
      streaming: tally.streams,
      ...(unpriced || unknown ? { unpriced: tally.unpriced } : {}),
      ...(unknown ? unknownCounts(tally) : {}),
    },
    costs: {
      total_cost_sats: tally.costSats,
      total_input_tokens: tally.inputTokens,
      total_output_tokens: tally.outputTokens,
    },
    performance: {
      avg_latency_ms: tally.meanLatencyMs,
      ...(percentiles
        ? {
            p50_latency_ms: tally.latencies.percentile(0.5),
            p95_latency_ms: tally.latencies.percentile(0.95),
            p99_latency_ms: tally.latencies.percentile(0.99),
          }
        : {}),
    },
  }
}

function unknownCounts(tally: Tally) {
  return {
    unpriced_error: tally.unpricedFailures,
    unknown_input_tokens: tally.unknownInputTokens,
    unknown_output_tokens: tally.unknownOutputTokens,
    open: tally.openStreams,
    unfinished: tally.unfinishedStreams,
  }
}

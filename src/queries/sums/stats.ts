import type { Currency } from '../../folds/costs/row-cost.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { oneOf } from '../errors.js'
import { type ShownCurrency, shownCurrency } from '../window/currency.js'
import { checkedFilter, type RequestFilter } from '../window/filter.js'
import { periodsIn } from '../window/local-periods.js'
import { TimeZone } from '../window/time-zone.js'
import { type EchoedWindow, echoWindow } from '../window/window.js'
import { groupKey, NO_NAME, namesOfGroups, UNKNOWN_GROUP } from './grouping.js'
import { type Groups, groupsFor, type StatsGroupBy } from './stats-groups.js'
import { Tally, type TokenPartSums, type Unknowns, type UsageCounts } from './tally.js'
import { type Question, sumOf, tallyRequests, tallyWhole } from './tally-requests.js'
import { firstOf, type Rank, type TopGroups, topGroups } from './top-groups.js'

/** The message for an empty window. The contract of the arbstr gateway has these words. */
const EMPTY = 'No requests found in the specified time range'
const RANKS = ['requests', 'cost'] as const

export interface StatsOptions extends RequestFilter {
  /** @default no groups: all requests are counted together */
  groupBy?: StatsGroupBy | undefined
  /** The zone of the days and hours, by its name in the IANA database. @default UTC */
  timezone?: string | undefined
  /**
   * How many groups are listed: those with the most requests, or cost (see `rank`). All others are
   * added up as `other`.
   * @default all, up to 20,000
   */
  limit?: number | undefined
  /**
   * By what a limit chooses the groups; `cost` is the cost in the currency shown.
   * @default 'requests'
   */
  rank?: 'requests' | 'cost' | undefined
  /**
   * Lists only groups with requests that match all filters, that of the model included, as the
   * command line does. Otherwise groups by model and by tier are those of the arbstr gateway's API.
   * @default false
   */
  onlyMatching?: boolean | undefined
  /** Adds percentiles of the latency. @default false */
  percentiles?: boolean | undefined
  /** Adds how many requests have no known cost. @default false */
  unpriced?: boolean | undefined
  /**
   * Adds the numbers of requests with unknown values, of retries, of inconsistent requests and of
   * streams without an end; also sums of costs in dollars and of parts of the tokens.
   * @default false
   */
  unknown?: boolean | undefined
  /** Adds the costs in this currency, and how many requests have no known cost in it. */
  currency?: Currency | undefined
}

/**
 * Counts, costs and performance of some requests. Sums are 0, never null, if nothing is known.
 * Unknown values, retries, costs in dollars and parts of the tokens are present only with
 * `unknown`, and the members about one currency also with that `currency`.
 */
export interface StatsSection {
  counts: Partial<Unknowns & UsageCounts> & {
    total: number
    success: number
    error: number
    streaming: number
    /** Requests whose cost is unknown; only when asked for. */
    unpriced?: number
  }
  /** Sums. An unknown value adds nothing. */
  costs: Partial<TokenPartSums> & {
    total_cost_sats: number
    total_input_tokens: number
    total_output_tokens: number
    /** Only with `unknown`, or with the currency `usd`. */
    total_cost_usd?: number
  }
  performance: {
    /** Not rounded, failures included; 0 for no requests. */
    avg_latency_ms: number
    /** The percentile by nearest rank, within 1/64; null for no requests. Only when asked for. */
    p50_latency_ms?: number | null
    p95_latency_ms?: number | null
    p99_latency_ms?: number | null
  }
}

/** The body of `GET /v1/stats`. It has at most one section of groups: the one asked for. */
export interface Stats extends StatsSection, EchoedWindow, Partial<ShownCurrency> {
  /** The zone; present only if it was asked for. */
  timezone?: string
  /** Present, with the message, only when nothing matched. */
  empty?: true
  message?: string
  /**
   * Every model in the database, with zeros if it had no requests, under the spelling that was seen
   * first. All filters apply except the model's. With `onlyMatching` it has the models of the
   * requests that match.
   */
  models?: Record<string, StatsSection>
  /**
   * By the label `tier`: `local`, `standard` and `frontier` always, if not `onlyMatching`;
   * `unknown` if a request has no tier.
   */
  tiers?: Record<string, StatsSection>
  /** By the tier that the provider billed. */
  service_tiers?: Record<string, StatsSection>
  /** By the HTTP status of the error, as text; `none` has the requests without one. */
  error_statuses?: Record<string, StatsSection>
  /** By the name of the journal's host, or by the journal's id if hosts have the same name. */
  journals?: Record<string, StatsSection>
  /** Providers with requests; `unknown_group` has the requests without one, here and below. */
  providers?: Record<string, StatsSection>
  policies?: Record<string, StatsSection>
  /** By the value of the label asked for. */
  labels?: Record<string, StatsSection>
  /**
   * Hours with requests, in order, by the instant at which they begin. It is in UTC, whatever the
   * zone is: `2026-11-22T19:00:00.000Z`.
   */
  hours?: Record<string, StatsSection>
  /** Days with requests, in order, by their date in the zone: `2026-11-22`. */
  days?: Record<string, StatsSection>
  /**
   * What the group of requests without a name is called: `unknown`, or `(unknown)` if some requests
   * really have that name. Present if there is such a group, but never with `tiers`.
   */
  unknown_group?: string
  /** All groups that the limit leaves out, added up. */
  other?: StatsSection
  /** How many groups these are, null if they are too many to count; only if there are others. */
  other_groups?: number | null
}

/**
 * Counts the requests of a window. The whole and the groups are read in one transaction, so that
 * the groups add up.
 *
 * @throws QueryError INVALID_TIMEZONE, INVALID_SINCE, INVALID_UNTIL, INVALID_BEFORE,
 *   INVALID_FILTER, INVALID_CURRENCY, MODEL_NOT_FOUND, PROVIDER_NOT_FOUND, INVALID_GROUP_BY,
 *   INVALID_SORT, TOO_MANY_GROUPS, in this order; TIMED_OUT
 */
export function stats(database: QueryDatabase, options: StatsOptions = {}): Stats {
  return database.transaction(() => {
    const zone = options.timezone === undefined ? TimeZone.UTC : new TimeZone(options.timezone)
    const filter = checkedFilter(database, options)
    const groups = options.groupBy === undefined ? null : groupsFor(database, options.groupBy)
    const { unknown, currency, percentiles: latencies } = options
    const sort = oneOf(RANKS, options.rank ?? 'requests', 'INVALID_SORT', 'sort')
    const rank = sort === 'cost' ? shownCurrency(database, options).currency : 'requests'
    const currencies = currency !== undefined || rank === 'usd'
    const question = { filter, latencies, unknown, currencies }
    // By the contract, a filter by model applies to the whole, but not to the groups of models.
    const listsAll = groups?.section === 'models' && !options.onlyMatching
    const ofGroups = listsAll ? { ...question, filter: { ...filter, model: undefined } } : question
    const { limit, onlyMatching } = options
    const grouped =
      groups === null ? null : readGroups(database, ofGroups, groups, { limit, onlyMatching, rank, zone })
    const whole =
      grouped === null || ofGroups.filter.model !== filter.model
        ? tallyWhole(database, question)
        : sumOf([...grouped.tallies.values(), ...(grouped.others === null ? [] : [grouped.others])])
    return {
      ...echoWindow(options),
      ...(options.timezone === undefined ? {} : { timezone: zone.name }),
      ...(unknown || currency !== undefined ? shownCurrency(database, options) : {}),
      ...(whole.requests === 0 ? { empty: true as const, message: EMPTY } : {}),
      ...section(whole, options),
      ...(groups === null || grouped === null
        ? {}
        : { [groups.section]: sections(grouped.tallies, options) }),
      ...(grouped?.unknownGroup === undefined ? {} : { unknown_group: grouped.unknownGroup }),
      ...(grouped === null || grouped.others === null
        ? {}
        : { other: section(grouped.others, options), other_groups: grouped.otherCount }),
    }
  })()
}

/**
 * Returns the canonical timestamp at which an hour begins. A day stays a date, and a text that a
 * row older than the journal has as its timestamp stays as it is.
 */
function startOfPeriod(beginning: string): string {
  return beginning.replace(/^\d{4}-\d{2}-\d{2}T\d{2}$/, '$&:00:00.000Z')
}

interface ReadGroups extends Omit<TopGroups, 'groups'> {
  /**
   * The tallies by name: first the groups that are always shown, then the others in order, and
   * `unknown` last.
   */
  tallies: Map<string, Tally>
  unknownGroup?: string | undefined
}

function readGroups(
  database: QueryDatabase,
  question: Question,
  { section, grouping, period, always }: Groups,
  asked: Pick<StatsOptions, 'limit' | 'onlyMatching'> & { rank: Rank; zone: TimeZone },
): ReadGroups {
  const { limit, onlyMatching, rank, zone } = asked
  // With a limit there is no room for groups without requests.
  const first = limit === undefined && !onlyMatching ? (always?.() ?? []) : []
  if (grouping === undefined) {
    const periods = period === undefined ? period : periodsIn(database, zone, question.filter, period)
    const tallies = [...tallyRequests(database, { ...question, period: periods })]
    const byName = new Map(tallies.map(([start, whole]) => [startOfPeriod(start), sumOf(whole.values())]))
    const { groups, ...rest } = firstOf(byName, limit ?? byName.size, rank)
    return { tallies: new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1))), ...rest }
  }
  const { groups, ...rest } = topGroups(database, { ...question, grouping, period: undefined }, limit, rank)
  const tallies = new Map(first.map((name) => [name, groups.get(groupKey(grouping, name)) ?? new Tally()]))
  for (const name of first) groups.delete(groupKey(grouping, name))
  const spellings = namesOfGroups(database, grouping, groups.keys())
  // Among tiers, the contract has one group for requests without a tier and for a tier `unknown`.
  const unknownGroup = section === 'tiers' ? UNKNOWN_GROUP : spellings.get(NO_NAME)
  const unnamed = groups.get(NO_NAME)
  groups.delete(NO_NAME)
  const named = [...groups].map(([key, tally]): [string, Tally] => [spellings.get(key) ?? key, tally])
  named.sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [name, tally] of named) tallies.set(name, tally)
  if (unnamed === undefined || unknownGroup === undefined) return { tallies, ...rest }
  const sameName = tallies.get(unknownGroup)
  tallies.delete(unknownGroup)
  tallies.set(unknownGroup, sameName === undefined ? unnamed : sumOf([sameName, unnamed]))
  return { tallies, ...rest, ...(section === 'tiers' ? {} : { unknownGroup }) }
}

function sections(tallies: ReadonlyMap<string, Tally>, options: StatsOptions): Record<string, StatsSection> {
  // Object.fromEntries: assigning to a key named __proto__ would set the prototype instead.
  return Object.fromEntries([...tallies].map(([name, tally]) => [name, section(tally, options)]))
}

function section(tally: Tally, options: StatsOptions): StatsSection {
  const { percentiles, unpriced, unknown, currency } = options
  const { usage, unknowns } = tally
  return {
    counts: {
      total: tally.requests,
      success: tally.requests - tally.sum('failures'),
      error: tally.sum('failures'),
      streaming: tally.sum('streams'),
      ...(unpriced || unknown || currency === 'sats' ? { unpriced: tally.sum('unpriced') } : {}),
      ...(currency === 'sats' ? { unpriced_error: unknowns.unpriced_error } : {}),
      ...(currency === 'usd'
        ? { unpriced_usd: usage.unpriced_usd, unpriced_usd_error: usage.unpriced_usd_error }
        : {}),
      ...(unknown ? { ...unknowns, ...usage } : {}),
    },
    costs: {
      total_cost_sats: tally.cost('sats'),
      total_input_tokens: tally.sum('input_tokens'),
      total_output_tokens: tally.sum('output_tokens'),
      ...(unknown || currency === 'usd' ? { total_cost_usd: tally.cost('usd') } : {}),
      ...(unknown ? tally.tokenParts : {}),
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

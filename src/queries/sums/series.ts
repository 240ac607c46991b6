import type { Currency } from '../../folds/costs/row-cost.js'
import type { SumName } from '../../folds/sums/rollup-cells.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { isTooManyGroups, oneOf, QueryError } from '../errors.js'
import { type ShownCurrency, shownCurrency } from '../window/currency.js'
import { checkedFilter, type RequestFilter } from '../window/filter.js'
import { periodsIn } from '../window/local-periods.js'
import { PERIOD_LENGTH } from '../window/terms.js'
import { TimeZone } from '../window/time-zone.js'
import { type EchoedWindow, echoWindow, instant } from '../window/window.js'
import { type Grouping, NO_NAME, namesOfGroups } from './grouping.js'
import { groupingFor, type SeriesBy } from './stats-groups.js'
import { Tally, type Unknowns, type UsageCounts } from './tally.js'
import { MAX_TALLIES, type Question, sumOf, type Tallies, tallyRequests, without } from './tally-requests.js'
import { firstOf, type TopGroups, topGroups } from './top-groups.js'

export type SeriesBucket = 'minute' | 'hour' | 'day'

export interface SeriesOptions extends RequestFilter {
  since: string
  /** What costs are grouped by. @default 'model' */
  by?: SeriesBy | undefined
  /**
   * How many names are listed: those with the most requests. All others are added up as `other`.
   * @default the 8 with the largest costs or refunds in the currency, or 9 if there are 9
   */
  limit?: number | undefined
  /** The zone of the days and hours, by its name in the IANA database. @default UTC */
  timezone?: string | undefined
  /** @default 'minute' for up to 3 hours, 'hour' for up to 10 days, else 'day' */
  bucket?: SeriesBucket | undefined
  /**
   * Adds the numbers of requests with unknown values, of retries, of inconsistent requests and of
   * streams without an end; also costs in dollars, and parts of the tokens.
   * @default false
   */
  unknown?: boolean | undefined
}

/**
 * The body of `GET /v1/series`: every list has one value for each of `times`. The lists of unknown
 * values, of retries and of parts of the tokens are present only with `unknown`; the currencies
 * with `unknown` or `currency`.
 */
export interface Series extends EchoedWindow, Partial<UnknownLists>, Partial<ShownCurrency> {
  /** The zone; present only if it was asked for. */
  timezone?: string
  bucket: SeriesBucket
  by: SeriesBy
  /** When each bucket begins, canonical. The window may cut the first and the last. */
  times: string[]
  requests: number[]
  failures: number[]
  /** Requests whose cost is unknown. */
  unpriced: number[]
  input_tokens: number[]
  output_tokens: number[]
  /** Null for a bucket without requests. */
  p50_latency_ms: (number | null)[]
  p95_latency_ms: (number | null)[]
  p99_latency_ms: (number | null)[]
  /**
   * The costs by name, those with the largest costs or refunds in the currency first: at most
   * eight, or `limit`, and the rest under `other`. A ninth name that is the only one left is listed
   * itself. Requests without a name are under `unknown_group`.
   */
  cost_sats: Record<string, number[]>
  /** How many names `other` adds up; null: too many to count. Only if there are others. */
  other_groups?: number | null
  /** As in {@link Stats}; only if these requests are among the names. */
  unknown_group?: string
  /** By the same names; only with `unknown`, or with the currency `usd`. */
  cost_usd?: Record<string, number[]>
  /**
   * How many requests each of these costs is about, and how many of them it leaves out because
   * their cost is unknown; only with `unknown`.
   */
  requests_by_name?: Record<string, number[]>
  unpriced_by_name?: Record<string, number[]>
  unpriced_usd_by_name?: Record<string, number[]>
}

/** Parts of the tokens. */
const TOKEN_PARTS = [
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'reasoning_output_tokens',
] as const

type UnknownLists = Record<keyof (Unknowns & UsageCounts) | (typeof TOKEN_PARTS)[number], number[]>

/** How many buckets an answer may have. */
const MAX_BUCKETS = 10_000

const BUCKET_MS: Readonly<Record<SeriesBucket, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }

/** The longest windows, in milliseconds, whose default buckets are minutes and hours. */
const LONGEST = { minute: 3 * BUCKET_MS.hour, hour: 10 * BUCKET_MS.day }

const BUCKETS = ['minute', 'hour', 'day'] as const
const MAX_NAMES = 8
const OTHER = 'other'

/**
 * Counts the requests of each minute, hour or day of a window, for charts.
 *
 * @throws QueryError INVALID_TIMEZONE, INVALID_SINCE, INVALID_UNTIL, INVALID_BEFORE,
 *   INVALID_FILTER, INVALID_CURRENCY, MODEL_NOT_FOUND, PROVIDER_NOT_FOUND, INVALID_BY,
 *   INVALID_BUCKET, TOO_MANY_GROUPS, TIMED_OUT
 */
export function series(database: QueryDatabase, options: SeriesOptions): Series {
  return database.transaction(() => {
    const zone = options.timezone === undefined ? TimeZone.UTC : new TimeZone(options.timezone)
    const filter = checkedFilter(database, options)
    const window = echoWindow(options)
    const { since, until } = window
    const { by = 'model', unknown } = options
    const grouping = groupingFor(database, by)
    const shown = shownCurrency(database, options)
    const { currency } = shown
    const isInDollars = unknown || options.currency === 'usd'
    const asked = options.bucket ?? defaultBucket(since, until)
    const bucket = oneOf(BUCKETS, asked, 'INVALID_BUCKET', 'bucket')
    refuseTooMany(since, until, bucket)
    const period = periodsIn(database, zone, filter, bucket)
    const { times, keys } = bucketsOf(zone, since, until, bucket, typeof period === 'string')
    if (options.limit !== undefined && options.limit * keys.length > MAX_TALLIES) {
      const found = `${options.limit} names in ${keys.length} buckets, at most ${MAX_TALLIES} in all`
      throw new QueryError('TOO_MANY_GROUPS', `${found}: ask with a smaller limit= or for longer buckets`)
    }
    const question = { filter, period, unknown, currencies: isInDollars || currency === 'usd', grouping }
    const { limit } = options
    const { whole, named, unknownGroup, otherGroups } = readSeries(database, question, keys, limit, currency)
    const tallies = keys.map((key) => whole.get(key) ?? new Tally())
    // Latencies are grouped by time only: grouped by name too they would take many times the
    // memory.
    const spread = tallyRequests(database, { filter, period, latencies: 'only' })
    const listOf = (name: SumName) => tallies.map((tally) => tally.sum(name))
    const listsByName = (read: (tally: Tally) => number) =>
      Object.fromEntries([...named].map(([name, tallies]) => [name, tallies.map(read)]))
    const percentiles = (share: number) =>
      keys.map((key) => spread.get(key)?.get('')?.latencies.percentile(share) ?? null)
    return {
      ...window,
      ...(options.timezone === undefined ? {} : { timezone: zone.name }),
      ...(unknown || options.currency !== undefined ? shown : {}),
      bucket,
      by,
      times,
      requests: tallies.map((tally) => tally.requests),
      failures: listOf('failures'),
      unpriced: listOf('unpriced'),
      ...(isInDollars && !unknown
        ? { unpriced_usd: listOf('unpriced_usd'), unpriced_usd_error: listOf('unpriced_usd_failures') }
        : {}),
      ...(unknown ? unknownLists(tallies) : {}),
      input_tokens: listOf('input_tokens'),
      output_tokens: listOf('output_tokens'),
      p50_latency_ms: percentiles(0.5),
      p95_latency_ms: percentiles(0.95),
      p99_latency_ms: percentiles(0.99),
      ...(unknownGroup === undefined ? {} : { unknown_group: unknownGroup }),
      cost_sats: listsByName((tally) => tally.cost('sats')),
      ...(otherGroups === undefined ? {} : { other_groups: otherGroups }),
      ...(isInDollars ? { cost_usd: listsByName((tally) => tally.cost('usd')) } : {}),
      ...(unknown
        ? {
            requests_by_name: listsByName((tally) => tally.requests),
            unpriced_by_name: listsByName((tally) => tally.sum('unpriced')),
            unpriced_usd_by_name: listsByName((tally) => tally.sum('unpriced_usd')),
          }
        : {}),
    }
  })()
}

function unknownLists(tallies: readonly Tally[]): UnknownLists {
  const partsOf = (tally: Tally) => Object.fromEntries(TOKEN_PARTS.map((name) => [name, tally.sum(name)]))
  const countsOf = (tally: Tally) => Object.entries({ ...tally.unknowns, ...tally.usage, ...partsOf(tally) })
  const counts = tallies.map(countsOf)
  const names = countsOf(new Tally()).map(([name]) => name)
  return Object.fromEntries(names.map((name, at) => [name, counts.map((of) => of[at]?.[1])])) as UnknownLists
}

type SeriesQuestion = Question & { grouping: Grouping }

/**
 * Reads the sums of all periods, as a whole and by the names that are shown.
 *
 * @param currency whose costs decide which names are shown if there is no limit.
 */
function readSeries(
  database: QueryDatabase,
  question: SeriesQuestion,
  keys: readonly string[],
  limit: number | undefined,
  currency: Currency,
) {
  const { tallies, whole, top } = readGroups(database, question, limit, currency)
  const names = namesOfGroups(database, question.grouping, top.groups.keys())
  const nameOf = (group: string) => names.get(group) ?? group
  const at = (key: string, group: string) => tallies.get(key)?.get(group) ?? new Tally()
  // A group that is really called `other` is added to the others, if there are some.
  const listed = [...top.groups.keys()].filter((group) => top.others === null || nameOf(group) !== OTHER)
  const named = new Map(listed.map((group) => [nameOf(group), keys.map((key) => at(key, group))]))
  const unknownGroup = names.get(NO_NAME)
  if (top.others === null) return { whole, named, unknownGroup, otherGroups: undefined }
  const others = keys.map((key) => {
    const parts = listed.map((group) => at(key, group))
    return without(whole.get(key) ?? new Tally(), parts)
  })
  const { otherCount, groups } = top
  const otherGroups = otherCount === null ? null : otherCount + groups.size - listed.length
  return { whole, named: named.set(OTHER, others), unknownGroup, otherGroups }
}

/** Reads all groups of all periods, or only those that are shown if all would be too many. */
function readGroups(
  database: QueryDatabase,
  question: SeriesQuestion,
  limit: number | undefined,
  currency: Currency,
): { tallies: Tallies; whole: Map<string, Tally>; top: TopGroups } {
  // Others that are one name only aren't added up: it is listed itself.
  const countOf = (all: number | null) => limit ?? (all === MAX_NAMES + 1 ? all : MAX_NAMES)
  const rank = limit === undefined ? currency : 'requests'
  try {
    const tallies = tallyRequests(database, question)
    const totals = totalsOf(tallies)
    return { tallies, whole: wholeOf(tallies), top: firstOf(totals, countOf(totals.size), rank) }
  } catch (error) {
    if (!isTooManyGroups(error)) throw error
    const ask = (most: number) => topGroups(database, { ...question, period: undefined }, most, rank)
    const first = ask(countOf(null))
    const top = first.otherCount === 1 ? ask(countOf(MAX_NAMES + 1)) : first
    const tallies = tallyRequests(database, { ...question, only: new Set(top.groups.keys()) })
    const whole = wholeOf(tallyRequests(database, { ...question, grouping: undefined }))
    return { tallies, whole, top }
  }
}

function wholeOf(tallies: Tallies): Map<string, Tally> {
  return new Map([...tallies].map(([key, groups]) => [key, sumOf(groups.values())]))
}

function totalsOf(tallies: Tallies): Map<string, Tally> {
  const totals = new Map<string, Tally>()
  for (const groups of tallies.values()) {
    for (const [key, tally] of groups) {
      const total = totals.get(key) ?? new Tally()
      total.addTally(tally)
      totals.set(key, total)
    }
  }
  return totals
}

/** Returns the number since 1970 of a window's first UTC bucket, and how many it has. */
function utcBuckets(since: string, until: string, bucket: SeriesBucket): { first: number; count: number } {
  const first = Math.floor(Date.parse(since) / BUCKET_MS[bucket])
  const last = Math.floor(Date.parse(until) / BUCKET_MS[bucket])
  return { first, count: Math.max(0, last - first + 1) }
}

function refuseTooMany(since: string, until: string, bucket: SeriesBucket): void {
  const { count } = utcBuckets(since, until, bucket)
  if (count <= MAX_BUCKETS) return
  const advice = 'ask for longer buckets, or for a shorter window'
  throw new QueryError(
    'INVALID_BUCKET',
    `Invalid bucket '${bucket}': the window has ${count} of them, at most ${MAX_BUCKETS} are allowed; ${advice}`,
  )
}

/**
 * Returns when each bucket begins, canonical, and the keys of their tallies.
 *
 * @param isUtc whether these keys are periods of UTC.
 */
function bucketsOf(zone: TimeZone, since: string, until: string, bucket: SeriesBucket, isUtc: boolean) {
  const { first, count } = utcBuckets(since, until, bucket)
  if (bucket === 'minute' || zone === TimeZone.UTC) {
    const times = Array.from({ length: count }, (_, index) => instant((first + index) * BUCKET_MS[bucket]))
    return { times, keys: times.map((time) => time.slice(0, PERIOD_LENGTH[bucket])) }
  }
  const starts = new Map<string, string>()
  const periods = count === 0 ? [] : zone.periods(bucket, Date.parse(since), Date.parse(until) + 1)
  for (const { key, startMs } of periods) {
    const time = instant(startMs)
    const name = isUtc && bucket === 'hour' ? time.slice(0, PERIOD_LENGTH.hour) : key
    if (!starts.has(name)) starts.set(name, time)
  }
  const sorted = [...starts].sort(([a], [b]) => (a < b ? -1 : 1))
  return { times: sorted.map(([, time]) => time), keys: sorted.map(([key]) => key) }
}

function defaultBucket(since: string, until: string): SeriesBucket {
  const lengthMs = Date.parse(until) - Date.parse(since)
  if (lengthMs <= LONGEST.minute) return 'minute'
  return lengthMs <= LONGEST.hour ? 'hour' : 'day'
}

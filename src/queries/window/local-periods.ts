import { all, inRange, type TextRange } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { type RequestFilter, windowRange } from './filter.js'
import { PERIOD_LENGTH, type Period, startingWith } from './terms.js'
import { type LocalPeriod, TimeZone } from './time-zone.js'

/** The requests of one day or hour of a time zone. */
interface Stretch {
  /** The key of the {@link LocalPeriod}. */
  key: string
  range: TextRange
}

/** Days or hours that aren't those of UTC. Several stretches may have the same key. */
export interface LocalPeriods {
  of: 'day' | 'hour'
  stretches: readonly Stretch[]
}

interface Bounds {
  from: string
  before: string
}

const PERIOD = /^\d{4}-\d{2}-\d{2}(T\d{2})?$/

/** A text that sorts after every timestamp of the years 0001 to 9999. */
const AFTER_ALL = ':'
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z')

/** Periods with requests that are at most this far apart belong to the same span. */
const MAX_GAP_MS = 3 * 86_400_000

/**
 * Finds the days or hours of a zone in which a filter can match requests. If they are the same as
 * those of UTC, the period itself is returned, and for minutes always.
 *
 * A row older than the journal may have any text as its timestamp. It belongs to the period that
 * the text sorts into, and if there is none, to a period of its own.
 */
export function periodsIn(
  database: QueryDatabase,
  zone: TimeZone,
  filter: RequestFilter,
  period: Period,
): Period | LocalPeriods {
  if (period === 'minute' || zone === TimeZone.UTC) return period
  const asked = windowRange(filter)
  const found = periodsWithRequests(database, asked, period)
  const times = found.filter((start) => startMs(start) !== null)
  const runs = runsOf(times, period)
  if (runs.every(([start, end]) => zone.isUtc(period, start, end))) return period
  const local = runs.flatMap(([start, end]) => zone.periods(period, start, end)).map(stretchOf)
  const others = found
    .filter((start) => startMs(start) === null && includes(asked, start))
    .filter((start) => !local.some(({ range }) => includes(range, start)))
    .map((start) => ({ key: start, range: textsIn(start, period) }))
  const stretches = local.map(({ key, range }) => ({ key, range: overlap(asked, range) }))
  return { of: period, stretches: [...stretches, ...others] }
}

/** Returns the key of the period that a timestamp is in. */
export function keyOf({ stretches }: LocalPeriods, timestamp: string): string {
  // Most timestamps asked for are in the newest periods.
  return stretches.findLast(({ range }) => includes(range, timestamp))?.key ?? timestamp
}

/** Lists the periods of UTC that overlap a range and have requests, in order. */
function periodsWithRequests(database: QueryDatabase, range: TextRange, period: 'day' | 'hour'): string[] {
  const length = PERIOD_LENGTH[period]
  const from = (range.from ?? range.after)?.slice(0, length)
  const to = (range.to ?? range.before)?.slice(0, length)
  const { sql, values } = all([
    ...dialectOf(database).journalConditions(),
    { sql: "grain = ? AND grouped_by = ''", values: [period] },
    inRange('period', { from, to }),
  ])
  const statement = `SELECT period FROM rollup_totals WHERE ${sql} GROUP BY period ORDER BY period`
  return database
    .prepare<unknown[], string>(statement)
    .pluck()
    .all(...values)
}

/** Returns when a period of UTC begins; null if the text isn't such a period. */
function startMs(period: string): number | null {
  if (!PERIOD.test(period)) return null
  const ms = Date.parse(period.length === PERIOD_LENGTH.day ? period : `${period}:00Z`)
  // JavaScript takes February 30 for March 2.
  const isReal = !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(period)
  return isReal ? ms : null
}

/** Joins periods into spans of time without long gaps. */
function runsOf(periods: readonly string[], period: 'day' | 'hour'): [startMs: number, endMs: number][] {
  const lengthMs = period === 'day' ? 86_400_000 : 3_600_000
  const runs: [number, number][] = []
  for (const text of periods) {
    const start = startMs(text) ?? Number.NaN
    const last = runs.at(-1)
    if (last !== undefined && start - last[1] <= MAX_GAP_MS) last[1] = start + lengthMs
    else runs.push([start, start + lengthMs])
  }
  return runs
}

function stretchOf({ key, startMs, endMs }: LocalPeriod): { key: string; range: Bounds } {
  return { key, range: { from: textOf(startMs), before: textOf(endMs) } }
}

function textOf(ms: number): string {
  return ms > LAST_MS ? AFTER_ALL : new Date(ms).toISOString()
}

/** Returns the range of the texts in a period of the roll-ups that no timestamp begins with. */
function textsIn(period: string, of: 'day' | 'hour'): TextRange {
  return period.length < PERIOD_LENGTH[of] ? { from: period, to: period } : startingWith(period)
}

function includes({ from, after, to, before }: TextRange, text: string): boolean {
  const isStarted = (from === undefined || text >= from) && (after === undefined || text > after)
  return isStarted && (to === undefined || text <= to) && (before === undefined || text < before)
}

/** Returns the part of a stretch that is asked for. */
function overlap({ from, after, to, before }: TextRange, stretch: Bounds): TextRange {
  const [start, end] = [from ?? after, to ?? before]
  return {
    ...(start !== undefined && start >= stretch.from ? { from, after } : { from: stretch.from }),
    ...(end !== undefined && end < stretch.before ? { to, before } : { before: stretch.before }),
  }
}

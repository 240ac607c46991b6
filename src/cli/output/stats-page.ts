import type { Stats, StatsSection } from '../../queries/sums/stats.js'
import { type Currency, currenciesOf } from '../../queries/window/currency.js'
import { TimeZone } from '../../queries/window/time-zone.js'
import { BEGINNING_OF_TIME, END_OF_TIME } from '../../queries/window/window.js'
import { amountFormatter, amountText } from './amounts.js'
import { bar, sparkline } from './bars.js'
import { formatCount, formatLocalTime, formatMs, formatShare, formatTime, UNKNOWN } from './format.js'
import { type GroupOrder, listGroups } from './stats-groups.js'
import { type Column, formatTable } from './table.js'
import {
  costOf,
  retriesSuffix,
  tokenPartsLine,
  tokenTotal,
  tokenTotalWithUnknown,
  unendedSuffix,
  unpricedCount,
  unpricedIn,
  unpricedSuffix,
} from './totals.js'

export interface StatsPageOptions extends GroupOrder {
  // Columns that must be on the page however narrow it is.
  percentiles?: boolean | undefined
  unpriced?: boolean
  unknown?: boolean | undefined
}

/** The currencies that are shown, beside the options. */
type GroupOptions = StatsPageOptions & { currencies: readonly Currency[] }

type Group = [name: string, section: StatsSection]

const BAR_WIDTH = 8
/**
 * On a page narrower than this, names are cut so that the last columns stay. Names that differ only
 * at their end look alike then.
 */
const NARROW_PAGE = 60
const HOUR_MS = 3_600_000
/** How many characters a sparkline has if the page has no width. */
const SPARKLINE_WITHOUT_PAGE = 100
/** With more periods than this there is no sparkline: nothing could be seen on it. */
const MAX_PERIODS = 100_000

/** Formats stats for people: the totals, and a table of the groups. */
export function formatStats(stats: Stats, width: number, options: StatsPageOptions = {}): string {
  const { counts } = stats
  const currencies = currenciesOf(stats, options.currency)
  const lines = [
    `window    ${formatWindow(stats)}`,
    `requests  ${formatCount(counts.total)}${retriesSuffix(stats)}`,
    `failed    ${formatCount(counts.error)} (${formatShare(counts.error, counts.total)})`,
    `streaming ${formatCount(counts.streaming)}${unendedSuffix(stats)}`,
    ...currencies.map(
      (currency) =>
        `cost      ${amountText(currency, costOf(stats, currency))}${unpricedSuffix(...unpricedIn(stats, currency))}`,
    ),
    `tokens    ${tokenTotalWithUnknown(stats, 'input')}, ${tokenTotalWithUnknown(stats, 'output')}`,
    ...tokenPartsLine(stats),
    `latency   ${formatLatency(stats)} on average${formatPercentiles(stats)}`,
  ]
  if (stats.message !== undefined) lines.push('', stats.message)
  lines.push(...groupLines(stats, width, { ...options, currencies }))
  return lines.join('\n')
}

function formatWindow(stats: Stats): string {
  const { since, until, before } = stats
  const zone = zoneOf(stats)
  const time = (timestamp: string) => `${formatTime(zone.localText(Date.parse(timestamp)))} ${zone.name}`
  const from = since === BEGINNING_OF_TIME ? '' : `since ${time(since)}`
  const end = before === undefined ? `until ${time(until)}` : `before ${time(before)}`
  const to = until === END_OF_TIME ? '' : end
  return [from, to].filter((end) => end !== '').join(' ') || 'all time'
}

/** The zone that the answer is about. */
function zoneOf({ timezone }: Stats): TimeZone {
  return timezone === undefined ? TimeZone.UTC : new TimeZone(timezone)
}

function groupLines(stats: Stats, width: number, options: GroupOptions): string[] {
  const { title, groups = [], weightOf } = listGroups(stats, options) ?? {}
  if (title === undefined || groups.length === 0) return []
  const sections = groups.map(([, section]) => section)
  const figures = groupColumns(sections, options)
  if (weightOf === undefined) {
    const zone = zoneOf(stats)
    const isHour = title === 'hour'
    const period = {
      title: `${title} (${zone.name})`,
      cell: ([start]: Group) => (isHour ? localHour(start, zone) : start),
    }
    const bars = sparklines(isHour ? HOUR_MS : 24 * HOUR_MS, groups, width, options.currencies)
    return ['', ...bars, '', formatTable([period, ...figures], groups, width)]
  }
  // The shares follow the column that they are shares of.
  const weighed = options.sort === 'cost' ? options.currencies[0] : 'requests'
  const weighedAt = figures.findIndex((column) => column.title === weighed)
  const shrinksTo = width < NARROW_PAGE ? 14 : 32
  const columns = [
    { title, shrinksTo, cell: ([name]: Group) => name || '""' },
    ...figures.toSpliced(weighedAt + 1, 0, ...shareColumns(sections, weightOf, width)),
  ]
  return ['', formatTable(columns, groups, width)]
}

/**
 * Makes a column of shares, and one of bars beside it if the page has a width. With a weight below
 * 0, such as a refund, there are no shares and no bars.
 */
function shareColumns(
  sections: readonly StatsSection[],
  weightOf: (section: StatsSection) => number | null,
  width: number,
): Column<Group>[] {
  const weights = sections.map((section) => weightOf(section) ?? 0)
  const total = weights.some((weight) => weight < 0) ? 0 : weights.reduce((sum, weight) => sum + weight, 0)
  const share: Column<Group> = {
    title: 'share',
    align: 'right',
    dropRank: 5,
    cell: ([, section]) => {
      const weight = weightOf(section)
      return weight === null ? UNKNOWN : formatShare(weight, total)
    },
  }
  const bars: Column<Group> = {
    title: '',
    dropRank: 8.2,
    cell: ([, section]) => (total === 0 ? '' : bar((weightOf(section) ?? 0) / total, BAR_WIDTH)),
  }
  return Number.isFinite(width) ? [share, bars] : [share]
}

/**
 * `2026-11-22 19:00`, and `2026-10-25 02:00 +01:00` if the clocks show it twice; text that isn't a
 * timestamp stays as it is.
 */
function localHour(start: string, zone: TimeZone): string {
  const text = formatLocalTime(start, zone).slice(0, 16)
  const ms = Date.parse(start)
  if (Number.isNaN(ms)) return text
  const offsetMs = zone.offsetAt(ms)
  const localMs = ms + offsetMs
  const isTwice = zone.instantAt(localMs, 'start') !== zone.instantAt(localMs, 'end')
  return isTwice ? `${text} ${offsetText(offsetMs)}` : text
}

/** `+02:00` */
function offsetText(offsetMs: number): string {
  const size = new Date(Math.abs(offsetMs)).toISOString().slice(11, 16)
  return `${offsetMs < 0 ? '-' : '+'}${size}`
}

/** Formats lines of bars over all periods, also those without requests. */
function sparklines(
  lengthMs: number,
  groups: readonly Group[],
  width: number,
  currencies: readonly Currency[],
): string[] {
  const byNumber = new Map(
    groups.map(([start, section]) => [Math.floor(Date.parse(start) / lengthMs), section]),
  )
  const numbers = [...byNumber.keys()].filter(Number.isFinite)
  const first = Math.min(...numbers)
  const count = Math.max(...numbers) - first + 1
  if (numbers.length === 0 || count > MAX_PERIODS) return []
  const line = (value: (section: StatsSection) => number) =>
    sparkline(
      Array.from({ length: count }, (_, i) => {
        const section = byNumber.get(first + i)
        return section === undefined ? 0 : value(section)
      }),
      Number.isFinite(width) ? width - 'requests  '.length : SPARKLINE_WITHOUT_PAGE,
    )
  return [
    `requests  ${line(({ counts }) => counts.total)}`,
    `failed    ${line(({ counts }) => counts.error)}`,
    ...currencies.map(
      (currency) =>
        `${(currencies.length > 1 ? currency : 'cost').padEnd(10)}${line((section) => costOf(section, currency) ?? 0)}`,
    ),
  ].map((text) => text.trimEnd())
}

type Count = readonly [title: string, of: (section: StatsSection) => number | undefined]

// Columns that are left out if they are empty, as they mostly are.
const UNKNOWN_COUNTS: readonly Count[] = [
  ['open', ({ counts }) => counts.open],
  ['unfinished', ({ counts }) => counts.unfinished],
  ['unknown in', ({ counts }) => counts.unknown_input_tokens],
  ['unknown out', ({ counts }) => counts.unknown_output_tokens],
]
const OTHER_COUNTS: readonly Count[] = [
  ['retries', ({ counts }) => counts.retries],
  ['cache read', ({ costs }) => costs.total_cache_read_input_tokens],
  ['cache written', ({ costs }) => costs.total_cache_creation_input_tokens],
  ['reasoning', ({ costs }) => costs.total_reasoning_output_tokens],
  ['inconsistent', ({ counts }) => counts.inconsistent],
]

function groupColumns(sections: readonly StatsSection[], options: GroupOptions): Column<Group>[] {
  const { percentiles, unpriced, unknown, currencies } = options
  const right = (
    title: string,
    cell: (section: StatsSection) => string,
    dropRank?: number,
  ): Column<Group> => ({ title, align: 'right', dropRank, cell: ([, section]) => cell(section) })
  /** What was asked for isn't left out. */
  const unlessAsked = (asked: boolean | undefined, dropRank: number) => (asked ? undefined : dropRank)
  const rare = (counts: readonly Count[], dropRank: number | undefined) =>
    counts
      .filter(([, of]) => sections.some((section) => (of(section) ?? 0) > 0))
      .map(([title, of]) => right(title, (section) => formatCount(of(section) ?? 0), dropRank))
  return [
    right('requests', ({ counts }) => formatCount(counts.total)),
    right('failed', ({ counts }) => formatCount(counts.error)),
    right('streaming', ({ counts }) => formatCount(counts.streaming), 6),
    right('in', (section) => tokenTotal(section, 'input'), 1),
    right('out', (section) => tokenTotal(section, 'output'), 2),
    ...currencies.map((currency, index) => {
      const cost = (section: StatsSection) => costOf(section, currency)
      const format = amountFormatter(currency, sections.map(cost))
      return right(currency, (section) => format(cost(section)), index > 0 ? 0 : undefined)
    }),
    ...currencies.map((currency, index) => {
      const title = currencies.length > 1 ? `unpriced ${currency}` : 'unpriced'
      const dropRank = unlessAsked(unpriced || unknown, index > 0 ? 8.5 : 8)
      return right(title, (section) => unpricedCount(...unpricedIn(section, currency)), dropRank)
    }),
    right('avg', formatLatency, 3),
    right('p50', (section) => percentile(section, 'p50'), unlessAsked(percentiles, 9)),
    right('p95', (section) => percentile(section, 'p95'), unlessAsked(percentiles, 7)),
    right('p99', (section) => percentile(section, 'p99'), unlessAsked(percentiles, 10)),
    ...rare(UNKNOWN_COUNTS, unlessAsked(unknown, 11)),
    ...rare(OTHER_COUNTS, 12),
  ]
}

function formatLatency({ counts, performance }: StatsSection): string {
  return counts.total === 0 ? UNKNOWN : formatMs(performance.avg_latency_ms)
}

function percentile({ performance }: StatsSection, name: 'p50' | 'p95' | 'p99'): string {
  return formatMs(performance[`${name}_latency_ms`] ?? null)
}

function formatPercentiles(stats: StatsSection): string {
  if (typeof stats.performance.p50_latency_ms !== 'number') return ''
  const names = ['p50', 'p95', 'p99'] as const
  return `; ${names.map((name) => `${name} ${percentile(stats, name)}`).join(', ')}`
}

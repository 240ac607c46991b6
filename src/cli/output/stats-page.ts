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

type Groups = Record<string, StatsSection>

/** A table's column, and its cell for a group. */
interface GroupColumn extends Column {
  cell(name: string, section: StatsSection): string
}

const BAR_WIDTH = 8
/**
 * On a page narrower than this, names are cut so that the last columns stay. Names that differ only
 * at their end look alike then.
 */
const NARROW_PAGE = 60
const PERIOD_MS = { hours: 3_600_000, days: 86_400_000 }
/** How many characters a sparkline has if the page has no width. */
const SPARKLINE_WITHOUT_PAGE = 100
/** With more periods than this there is no sparkline: nothing could be seen on it. */
const MAX_PERIODS = 100_000

/**
 * Formats stats for people: the totals, and the groups as a table, by time or with most requests
 * first.
 */
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
        `cost      ${amountText(currency, costOf(stats, currency))}${unpricedSuffix(stats, currency)}`,
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
  const zone = zoneOf(stats)
  if (stats.hours !== undefined) return periodLines(zone, 'hours', stats.hours, width, options)
  if (stats.days !== undefined) return periodLines(zone, 'days', stats.days, width, options)
  const { title, groups = [], weightOf } = listGroups(stats, options) ?? {}
  if (title === undefined || weightOf === undefined || groups.length === 0) return []
  const sections = groups.map(([, section]) => section)
  const figures = groupColumns(sections, options)
  // The shares follow the column that they are shares of.
  const weighed = options.sort === 'cost' ? options.currencies[0] : 'requests'
  const weighedAt = figures.findIndex((column) => column.title === weighed)
  const columns = [
    {
      title,
      shrinksTo: width < NARROW_PAGE ? 14 : 32,
      cell: (name: string) => name || '""',
    },
    ...figures.toSpliced(weighedAt + 1, 0, ...shareColumns(sections, weightOf, width)),
  ]
  return ['', formatGroups(columns, groups, width)]
}

/**
 * Makes a column of shares, and one of bars beside it if the page has a width. With a weight below
 * 0, such as a refund, there are no shares and no bars.
 */
function shareColumns(
  sections: readonly StatsSection[],
  weightOf: (section: StatsSection) => number | null,
  width: number,
): GroupColumn[] {
  const weights = sections.map((section) => weightOf(section) ?? 0)
  const total = weights.some((weight) => weight < 0) ? 0 : weights.reduce((sum, weight) => sum + weight, 0)
  const share: GroupColumn = {
    title: 'share',
    align: 'right',
    dropRank: 5,
    cell: (_, section) => {
      const weight = weightOf(section)
      return weight === null ? UNKNOWN : formatShare(weight, total)
    },
  }
  const bars: GroupColumn = {
    title: '',
    dropRank: 8.2,
    cell: (_, section) => (total === 0 ? '' : bar((weightOf(section) ?? 0) / total, BAR_WIDTH)),
  }
  return Number.isFinite(width) ? [share, bars] : [share]
}

/** Formats a line of bars over all periods, and a table of those with requests. */
function periodLines(
  zone: TimeZone,
  unit: 'hours' | 'days',
  groups: Groups,
  width: number,
  options: GroupOptions,
): string[] {
  const periods = Object.entries(groups)
  if (periods.length === 0) return []
  const columns = [
    {
      title: `${unit === 'hours' ? 'hour' : 'day'} (${zone.name})`,
      cell: (name: string) => (unit === 'hours' ? localHour(name, zone) : name),
    },
    ...groupColumns(Object.values(groups), options),
  ]
  return [
    '',
    ...sparklines(unit, groups, width, options.currencies),
    '',
    formatGroups(columns, periods, width),
  ]
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

function sparklines(
  unit: 'hours' | 'days',
  groups: Groups,
  width: number,
  currencies: readonly Currency[],
): string[] {
  const lengthMs = PERIOD_MS[unit]
  const byNumber = new Map(
    Object.entries(groups).map(([start, section]) => [Math.floor(Date.parse(start) / lengthMs), section]),
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

/** A column that is left out if it is empty, as it mostly is. */
interface RareColumn {
  title: string
  /** Whether it counts what is unknown, which `unknown` asks for. */
  isUnknown: boolean
  count(section: StatsSection): number | undefined
}

const RARE_COLUMNS: readonly RareColumn[] = [
  { title: 'open', isUnknown: true, count: ({ counts }) => counts.open },
  { title: 'unfinished', isUnknown: true, count: ({ counts }) => counts.unfinished },
  { title: 'unknown in', isUnknown: true, count: ({ counts }) => counts.unknown_input_tokens },
  { title: 'unknown out', isUnknown: true, count: ({ counts }) => counts.unknown_output_tokens },
  { title: 'retries', isUnknown: false, count: ({ counts }) => counts.retries },
  { title: 'cache read', isUnknown: false, count: ({ costs }) => costs.total_cache_read_input_tokens },
  { title: 'cache written', isUnknown: false, count: ({ costs }) => costs.total_cache_creation_input_tokens },
  { title: 'reasoning', isUnknown: false, count: ({ costs }) => costs.total_reasoning_output_tokens },
  { title: 'inconsistent', isUnknown: false, count: ({ counts }) => counts.inconsistent },
]

function rareColumns(sections: readonly StatsSection[], { unknown }: StatsPageOptions): GroupColumn[] {
  return RARE_COLUMNS.filter(({ count }) => sections.some((section) => (count(section) ?? 0) > 0)).map(
    ({ title, isUnknown, count }) => ({
      title,
      align: 'right',
      ...(unknown && isUnknown ? {} : { dropRank: isUnknown ? 11 : 12 }),
      cell: (_, section) => formatCount(count(section) ?? 0),
    }),
  )
}

function groupColumns(sections: readonly StatsSection[], options: GroupOptions): GroupColumn[] {
  const { percentiles, unpriced, unknown, currencies } = options
  const right = { align: 'right' } as const
  const ranked = (asked: boolean | undefined, dropRank: number) => (asked ? {} : { dropRank })
  return [
    { title: 'requests', ...right, cell: (_, { counts }) => formatCount(counts.total) },
    { title: 'failed', ...right, cell: (_, { counts }) => formatCount(counts.error) },
    { title: 'streaming', ...right, dropRank: 6, cell: (_, { counts }) => formatCount(counts.streaming) },
    { title: 'in', ...right, dropRank: 1, cell: (_, section) => tokenTotal(section, 'input') },
    { title: 'out', ...right, dropRank: 2, cell: (_, section) => tokenTotal(section, 'output') },
    ...currencies.map((currency, index) => costColumn(currency, sections, index > 0 ? { dropRank: 0 } : {})),
    ...currencies.map((currency, index) => ({
      title: currencies.length > 1 ? `unpriced ${currency}` : 'unpriced',
      ...right,
      ...ranked(unpriced || unknown, index > 0 ? 8.5 : 8),
      cell: (_: string, section: StatsSection) => unpricedCount(section, currency),
    })),
    { title: 'avg', ...right, dropRank: 3, cell: (_, section) => formatLatency(section) },
    { title: 'p50', ...right, ...ranked(percentiles, 9), cell: (_, section) => percentile(section, 'p50') },
    { title: 'p95', ...right, ...ranked(percentiles, 7), cell: (_, section) => percentile(section, 'p95') },
    { title: 'p99', ...right, ...ranked(percentiles, 10), cell: (_, section) => percentile(section, 'p99') },
    ...rareColumns(sections, options),
  ]
}

function costColumn(
  currency: Currency,
  sections: readonly StatsSection[],
  others: Pick<Column, 'dropRank'>,
): GroupColumn {
  const format = amountFormatter(
    currency,
    sections.map((section) => costOf(section, currency)),
  )
  return {
    title: currency,
    align: 'right',
    ...others,
    cell: (_, section) => format(costOf(section, currency)),
  }
}

function formatGroups(
  columns: readonly GroupColumn[],
  groups: [string, StatsSection][],
  width: number,
): string {
  const rows = groups.map(([name, section]) => columns.map((column) => column.cell(name, section)))
  return formatTable(columns, rows, width)
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

import { byId } from '../page/dom.js'
import {
  formatClock,
  formatCompact,
  formatCount,
  formatMoney,
  formatMs,
  formatShare,
} from '../page/format.js'
import { groupName, othersText } from '../page/groups.js'
import { calendarPeriod, localTime, zoneName } from '../page/zone.js'
import { Chart } from './chart.js'
import { Colors } from './colors.js'

/**
 * @typedef {(by: string, name: string | null) => (() => void) | null} NameChooser returns a
 *   function that filters by a name, or for a name of null, by having none; null if that isn't
 *   possible
 */

const BUCKET_SECONDS = { minute: 60, hour: 3600, day: 86_400 }
const NOTHING = 'No requests in this window'

/** The three charts of the window: requests, cost and latency. */
export class OverviewCharts {
  #colors = new Colors()
  #requests
  #cost
  #latency
  /** @type {Currency} */
  #currency = 'sats'

  /**
   * @param {object} hooks
   * @param {(sinceSeconds: number, beforeSeconds: number) => void} hooks.onSelect
   * @param {NameChooser} hooks.chooserOf for the names in the legend of the costs
   * @param {() => void} hooks.onOthers called to show the names that have no place in that legend
   */
  constructor({ onSelect, chooserOf, onOthers }) {
    this.chooserOf = chooserOf
    this.onOthers = onOthers
    const colors = this.#colors
    /** @type {(id: string, kind: Omit<import('./chart.js').ChartKind, 'colors' | 'onSelect'>) => Chart} */
    const chart = (id, kind) => new Chart(byId(id, HTMLElement), { ...kind, colors, onSelect })
    const format = (/** @type {number | null} */ value) => formatMoney(value, this.#currency)
    this.#requests = chart('chart-requests', { kind: 'bars', isWhole: true, format: formatCompact })
    this.#cost = chart('chart-cost', { kind: 'bars', isWhole: false, hasShares: true, format })
    this.#latency = chart('chart-latency', { kind: 'lines', isWhole: true, format: formatMs })
  }

  get #all() {
    return [this.#requests, this.#cost, this.#latency]
  }

  /**
   * @param {Series} series
   * @param {Stats} stats for the percentiles of the whole
   *   window
   */
  show(series, stats) {
    const times = series.times.map((time) => Date.parse(time) / 1000)
    const bucketSeconds = BUCKET_SECONDS[series.bucket]
    const common = { times, bucketSeconds, endSeconds: endOf(times.at(-1) ?? 0, series.bucket) }
    const isEmpty = sum(series.requests) === 0
    const note = isEmpty ? { note: NOTHING } : {}
    this.#currency = series.currency ?? 'sats'
    this.#requests.show({ ...common, ...requestsOf(series), ...note })
    this.#cost.show({
      ...common,
      ...costOf(series, this.chooserOf, this.onOthers),
      ...(isEmpty ? note : costNote(series)),
    })
    this.#latency.show({ ...common, ...latencyOf(series, stats), ...note })
  }

  /** Shows that nothing is known. */
  clear() {
    for (const chart of this.#all) chart.clear()
  }

  /** Repaints the charts in the colours of a new theme. */
  repaint() {
    this.#colors.forget()
    for (const chart of this.#all) chart.repaint()
  }
}

/** @param {Series} series */
function requestsOf({ requests, failures, retries = [], times, bucket }) {
  const succeeded = requests.map((count, index) => count - (failures[index] ?? 0))
  const [all, failed] = [sum(requests), sum(failures)]
  const peak = requests.indexOf(Math.max(...requests))
  const most =
    all === 0
      ? ''
      : ` Most in one ${bucket}: ${formatCount(requests[peak])} at ${momentOf(times[peak] ?? '')}.`
  return {
    // If there are retries, a bar counts each attempt, failed ones included.
    title: `${sum(retries) === 0 ? 'Requests' : 'Attempts'} per ${bucket}`,
    unit: /** @type {const} */ (''),
    series: [
      { name: 'Succeeded', color: '--series-1', values: succeeded, total: all - failed },
      { name: 'Failed', color: '--series-failed', values: failures, total: failed },
    ],
    summary: `${formatCount(all)} requests, ${formatCount(failed)} failed (${formatShare(failed, all)}).${most}`,
  }
}

/**
 * The costs by name. If no request of a name has a known cost, its figure is unknown, not 0.
 *
 * @param {Series} answer
 * @param {NameChooser} chooserOf
 * @param {() => void} onOthers
 */
function costOf(answer, chooserOf, onOthers) {
  const { by, bucket, currency = 'sats', requests_by_name: asked = {}, other_groups: others } = answer
  const costs = (currency === 'usd' ? answer.cost_usd : answer.cost_sats) ?? {}
  const left = (currency === 'usd' ? answer.unpriced_usd_by_name : answer.unpriced_by_name) ?? {}
  const series = Object.entries(costs).map(([name, amounts], index) => {
    const [requests, unpriced] = [asked[name] ?? [], left[name] ?? []]
    const isUnknown = (/** @type {number} */ all, /** @type {number} */ unknown) => all > 0 && all === unknown
    const [count, unknown] = [sum(requests), sum(unpriced)]
    const ofAll = count === unknown ? '' : ` of ${formatCompact(count)}`
    const isNone = name === answer.unknown_group
    const isOthers = name === 'other' && others !== undefined
    const choose = isOthers ? onOthers : chooserOf(by, isNone ? null : name)
    return {
      name: isOthers ? othersText(others) : groupName(by, isNone ? null : name),
      // There are eight colours: a ninth name has that of the others.
      color: isOthers || index === 8 ? '--series-other' : `--series-${index + 1}`,
      values: amounts.map((value, at) => (isUnknown(requests[at] ?? 0, unpriced[at] ?? 0) ? null : value)),
      total: isUnknown(count, unknown) ? null : sum(amounts),
      count: `${formatCompact(count)} ${count === 1 ? 'request' : 'requests'}`,
      exactCount: `${formatCount(count)} requests${unknown === 0 ? '' : `, ${formatCount(unknown)} unpriced`}`,
      ...(unknown === 0 ? {} : { aside: `${formatCompact(unknown)}${ofAll} unpriced` }),
      ...(choose === null ? {} : { onChoose: choose }),
    }
  })
  const parts = series.map(({ name, total }) => `${name} ${formatMoney(total, currency)}`).join(', ')
  const unit = currency === 'usd' ? 'dollars' : 'sats'
  return {
    title: `Cost per ${bucket}, ${unit}`,
    unit: currency,
    series,
    summary: `Cost in ${unit} by ${by}: ${parts || 'none'}.`,
  }
}

/**
 * The note on a chart without bars, because all costs are unknown.
 *
 * @param {Series} series
 */
function costNote({ requests, unpriced, unpriced_usd: unpricedUsd = [], currency }) {
  const isUnknown = sum(currency === 'usd' ? unpricedUsd : unpriced) === sum(requests)
  return isUnknown ? { note: 'No request here has a known cost' } : {}
}

/**
 * @param {Series} series
 * @param {Stats} stats
 */
function latencyOf(series, stats) {
  const whole = stats.performance
  const lines = [
    { name: 'p50', color: '--series-2', values: series.p50_latency_ms, total: whole.p50_latency_ms ?? null },
    { name: 'p95', color: '--series-4', values: series.p95_latency_ms, total: whole.p95_latency_ms ?? null },
    { name: 'p99', color: '--series-3', values: series.p99_latency_ms, total: whole.p99_latency_ms ?? null },
  ]
  return {
    title: 'Latency',
    unit: /** @type {const} */ ('ms'),
    series: lines,
    summary: `Latency: ${lines.map(({ name, total }) => `${name} ${formatMs(total)}`).join(', ')}.`,
  }
}

/**
 * When a bucket ends, in seconds. A day may have 23 or 25 hours.
 *
 * @param {number} seconds when it begins
 * @param {Series['bucket']} bucket
 */
function endOf(seconds, bucket) {
  return bucket === 'day'
    ? calendarPeriod('day', seconds * 1000, 0).endMs / 1000
    : seconds + BUCKET_SECONDS[bucket]
}

/** @param {string} timestamp */
function momentOf(timestamp) {
  return `${localTime(timestamp).slice(0, 10)} ${formatClock(timestamp).slice(0, 5)} ${zoneName()}`
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0)
}

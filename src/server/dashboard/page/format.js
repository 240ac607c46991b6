import { localTime, zoneCity } from './zone.js'

/** The text for an unknown figure. Unknown is never shown as 0. */
export const UNKNOWN = '–'

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const precise = new Intl.NumberFormat('en-US', { maximumFractionDigits: 9 })
const SCALES = /** @type {const} */ ([
  [1e15, 'P'],
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
])
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** @typedef {number | null | undefined} Figure null and undefined: unknown */

/**
 * `28,185`
 * @param {Figure} value
 */
export function formatCount(value) {
  return value == null ? UNKNOWN : whole.format(value)
}

/**
 * `1,234`, then `12.3 k`, `4.56 M`: three digits are enough where space is short.
 * @param {Figure} value
 */
export function formatCompact(value) {
  if (value == null) return UNKNOWN
  const size = Math.abs(value)
  if (size < 9999.5) return whole.format(value)
  const [scale, letter] = SCALES.find(([scale]) => size >= scale * 0.9995) ?? [1, '']
  return `${threeDigits(value / scale)} ${letter}`
}

/**
 * Sats with the digits that matter: `0.0042`, `4.52`, `13.1`, `1,234`, `12.3 k`.
 * @param {Figure} value
 */
export function formatSats(value) {
  if (value == null) return UNKNOWN
  const size = Math.abs(value)
  if (size >= 999.5) return formatCompact(value)
  if (size === 0 || size >= 0.995) return size === 0 ? '0' : threeDigits(value)
  return size < 1e-6 ? value.toExponential(1) : trimZeros(value.toFixed(1 - Math.floor(Math.log10(size))))
}

/**
 * Dollars with the digits that matter: `$0.0042`, `$4.52`, `$1,234`, `$12.3 k`.
 * @param {Figure} value
 */
export function formatUsd(value) {
  if (value == null) return UNKNOWN
  const size = Math.abs(value)
  const digits = size >= 0.995 && size < 999.5 ? size.toFixed(2) : formatSats(size)
  // Ten cents have two decimals too.
  return `${value < 0 ? '-' : ''}$${/^0\.\d$/.test(digits) ? `${digits}0` : digits}`
}

/**
 * An amount of money with the digits that matter. Sats have no unit, because the unit is shown next
 * to the amount.
 *
 * @param {Figure} value
 * @param {Currency} currency
 */
export function formatMoney(value, currency) {
  return currency === 'usd' ? formatUsd(value) : formatSats(value)
}

/** How many decimals the cost of one request has at most, from an amount on, as on a terminal. */
const COST_DECIMALS = /** @type {const} */ ({
  sats: [
    [1, 2],
    [0.01, 4],
  ],
  usd: [
    [1000, 2],
    [1, 4],
    [0.001, 6],
  ],
})

/**
 * The cost of one request, with the digits that it has on a terminal: `$0.00303`, `57.3`, `$12.00`.
 *
 * @param {Figure} value
 * @param {Currency} currency
 */
export function formatCost(value, currency) {
  if (value == null || value === 0) return formatMoney(value, currency)
  const size = Math.abs(value)
  const text = size.toLocaleString('en-US', {
    minimumFractionDigits: currency === 'usd' ? 2 : 0,
    maximumFractionDigits: COST_DECIMALS[currency].find(([least]) => size >= least)?.[1] ?? 9,
  })
  return `${value < 0 ? '-' : ''}${currency === 'usd' ? '$' : ''}${text}`
}

/**
 * All digits of an amount, with its unit: `0.0042 usd`
 *
 * @param {number} value
 * @param {Currency} currency
 */
export function formatMoneyExactly(value, currency) {
  return `${formatExactly(value)} ${currency}`
}

/**
 * All digits, for places with enough room.
 * @param {Figure} value
 */
export function formatExactly(value) {
  return value == null ? UNKNOWN : precise.format(value)
}

/**
 * `812 ms`, `2.14 s`, `12.3 s`, `2 min 5 s`
 * @param {Figure} value
 */
export function formatMs(value) {
  if (value == null) return UNKNOWN
  if (value < 999.5) return `${whole.format(value)} ms`
  if (value < 59_950) return `${threeDigits(value / 1000)} s`
  const seconds = Math.round(value / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}

/**
 * `2.0 %`; a share greater than 0 is never shown as `0.0 %`.
 * @param {number} part
 * @param {number} all
 */
export function formatShare(part, all) {
  if (all === 0) return UNKNOWN
  const percent = (part / all) * 100
  if (percent > 0 && percent < 0.05) return '< 0.1 %'
  return `${percent.toFixed(1)} %`
}

/**
 * The time of day, `08:42:10`
 * @param {string} timestamp canonical
 */
export function formatClock(timestamp) {
  return localTime(timestamp).slice(11, 19)
}

/**
 * `Nov 25`, or `Nov 25, 2023` if it isn't in this year.
 * @param {string} timestamp canonical
 */
export function formatDay(timestamp) {
  const local = localTime(timestamp)
  const day = `${MONTHS[Number(local.slice(5, 7)) - 1]} ${Number(local.slice(8, 10))}`
  const year = local.slice(0, 4)
  return year === localTime(new Date().toISOString()).slice(0, 4) ? day : `${day}, ${year}`
}

/**
 * `Nov 25 08:42 – 09:42 UTC`, or with the city of the zone that is shown
 * @param {string} since canonical
 * @param {string} until canonical, inclusive: the last millisecond of a minute is its end
 * @param {boolean} [isTyped] whether the user has typed the bounds: then seconds are shown
 */
export function formatSpan(since, until, isTyped = false) {
  const before = until.endsWith('.999Z') ? new Date(Date.parse(until) + 1).toISOString() : until
  const hasSeconds = isTyped && [since, before].some((timestamp) => timestamp.slice(17, 19) !== '00')
  const clock = (/** @type {string} */ timestamp) => formatClock(timestamp).slice(0, hasSeconds ? 8 : 5)
  const [from, to] = [formatDay(since), formatDay(before)]
  return `${from} ${clock(since)} – ${from === to ? '' : `${to} `}${clock(before)} ${zoneCity()}`
}

/** @param {number} value */
function threeDigits(value) {
  const size = Math.abs(value)
  return value.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0)
}

/** @param {string} digits */
function trimZeros(digits) {
  return digits.replace(/\.?0+$/, '')
}

import { element, setTitle } from '../page/dom.js'
import {
  formatClock,
  formatCompact,
  formatCount,
  formatDay,
  formatMoney,
  formatMoneyExactly,
  formatMs,
  UNKNOWN,
} from '../page/format.js'

/**
 * @typedef {import('../../../queries/index.js').RequestEntry} RequestEntry
 * @typedef {import('../../../queries/index.js').Currency} Currency
 *
 * @typedef {object} Column
 * @property {string} title
 * @property {string} className
 * @property {'timestamp' | 'cost_sats' | 'cost_usd' | 'latency_ms'} [sort]
 * @property {(entry: RequestEntry) => (string | Node)[]} cells
 * @property {string} [unit] shown on a phone, where the table has no head
 */

/**
 * The columns of the list, with costs in one currency.
 *
 * @param {Currency} currency
 * @returns {Column[]}
 */
export const columnsIn = (currency) => [
  { title: 'Time', className: 'time', sort: 'timestamp', cells: timeCell },
  { title: 'Model', className: 'name', cells: ({ model }) => [model] },
  { title: 'Provider', className: 'name provider', cells: ({ provider }) => [provider ?? UNKNOWN] },
  { title: 'Tokens in', className: 'number tokens-in', cells: ({ tokens }) => [formatCount(tokens.input)] },
  {
    title: 'Tokens out',
    className: 'number tokens-out',
    cells: ({ tokens }) => [formatCount(tokens.output)],
    unit: 'tokens out',
  },
  {
    title: currency === 'usd' ? 'Cost' : 'Sats',
    className: 'number cost',
    sort: `cost_${currency}`,
    cells: ({ cost }) => [formatMoney(cost[currency], currency)],
    ...(currency === 'usd' ? {} : { unit: 'sats' }),
  },
  {
    title: 'Latency',
    className: 'number latency',
    sort: 'latency_ms',
    cells: ({ timing }) => [formatMs(timing.latency_ms)],
  },
  { title: 'Outcome', className: 'outcome', cells: outcomeCell },
]

/**
 * @param {RequestEntry} entry
 * @param {Currency} currency
 * @returns {HTMLTableRowElement}
 */
export function requestRow(entry, currency) {
  const row = element('tr')
  row.setAttribute('role', 'row')
  row.tabIndex = -1
  fillRow(row, entry, currency)
  return row
}

/**
 * Shows an entry in its row, also after a completion has changed it.
 *
 * @param {HTMLTableRowElement} row
 * @param {RequestEntry} entry
 * @param {Currency} currency
 */
export function fillRow(row, entry, currency) {
  row.dataset['id'] = String(entry.id)
  const cells = columnsIn(currency).map(({ className, cells, unit }) => {
    const cell = element('td', className, ...cells(entry))
    cell.setAttribute('role', 'gridcell')
    if (unit !== undefined) cell.dataset['unit'] = unit
    return cell
  })
  row.replaceChildren(...cells)
  titleOf(row, 'name', entry.model)
  titleOf(row, 'provider', entry.provider ?? '')
  const cost = entry.cost[currency] ?? null
  titleOf(row, 'cost', cost === null ? 'cost unknown' : formatMoneyExactly(cost, currency))
  titleOf(row, 'outcome', entry.error?.message ?? '')
}

/** @param {number} count how many rows stand for those on their way */
export function skeletonRows(count) {
  return Array.from({ length: count }, () => {
    const row = element('tr', 'skeleton')
    row.append(...columnsIn('sats').map(({ className }) => element('td', className)))
    return row
  })
}

/**
 * @param {HTMLElement} row
 * @param {string} className
 * @param {string} title
 */
function titleOf(row, className, title) {
  const cell = row.querySelector(`.${className}`)
  if (cell instanceof HTMLElement && title !== '') setTitle(cell, title)
}

/** @param {RequestEntry} entry */
function timeCell({ timestamp }) {
  return [element('span', 'date', `${formatDay(timestamp)} `), formatClock(timestamp)]
}

/** @param {RequestEntry} entry */
function outcomeCell({ success, streaming, error, timing, state, attempt = null }) {
  /** @type {(string | Node)[]} */
  const parts = []
  if (!success)
    parts.push(element('span', 'badge is-bad', error?.status == null ? 'failed' : `failed ${error.status}`))
  else if (error?.status != null) parts.push(element('span', 'badge', String(error.status)))
  if (state === 'open') parts.push(element('span', 'badge is-open', 'open stream'))
  else if (state === 'unfinished') parts.push(element('span', 'badge is-warned', 'unfinished stream'))
  else if (streaming) {
    const duration = timing.stream_duration_ms
    parts.push(element('span', 'badge', duration === undefined ? 'stream' : `stream ${formatMs(duration)}`))
  }
  if (attempt !== null && attempt > 0) parts.push(element('span', 'badge', `retry ${attempt}`))
  if (error?.message != null) parts.push(element('span', 'why', error.message))
  return parts.length === 0 ? [element('span', 'why', 'ok')] : parts
}

/**
 * `1 new request`, `12.3 k new requests`
 * @param {number} count
 */
export function newcomersText(count) {
  return `${formatCompact(count)} new ${count === 1 ? 'request' : 'requests'}`
}

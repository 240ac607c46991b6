import { element, setTitle } from '../page/dom.js'
import { formatCompact, formatMoneyExactly } from '../page/format.js'

/**
 * @typedef {import('./columns.js').Column} Column
 *
 * @typedef {object} Look
 * @property {readonly Column[]} columns
 * @property {Currency} currency
 */

/**
 * @param {RequestEntry} entry
 * @param {Look} look
 * @returns {HTMLTableRowElement}
 */
export function requestRow(entry, look) {
  const row = element('tr')
  row.setAttribute('role', 'row')
  row.tabIndex = -1
  fillRow(row, entry, look)
  return row
}

/**
 * Fills a row with its entry. It is called again when a completion changes the entry.
 *
 * @param {HTMLTableRowElement} row
 * @param {RequestEntry} entry
 * @param {Look} look
 */
export function fillRow(row, entry, { columns, currency }) {
  row.dataset['id'] = String(entry.id)
  const cells = columns.map(({ className, cells, unit }) => {
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

/**
 * @param {number} count how many placeholders to show while the rows are loading
 * @param {readonly Column[]} columns
 */
export function skeletonRows(count, columns) {
  return Array.from({ length: count }, () => {
    const row = element('tr', 'skeleton')
    row.append(...columns.map(({ className }) => element('td', className)))
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

/**
 * `1 new request`, `12.3 k new requests`
 * @param {number} count
 */
export function newcomersText(count) {
  return `${formatCompact(count)} new ${count === 1 ? 'request' : 'requests'}`
}

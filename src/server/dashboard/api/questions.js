import { FILTERS } from '../page/page-state.js'
import { resolveWindow } from '../page/time-window.js'
import { ApiError } from './api.js'

/**
 * Returns the window at a moment, the zone and the filters of the page, and what else is asked.
 *
 * @param {PageState} state
 * @param {number} momentMs
 * @param {Record<string, string>} others
 * @throws {ApiError} if the window is invalid
 */
function scopeQuery(state, momentMs, others) {
  const zone = state.timezone === '' ? {} : { timezone: state.timezone }
  const filters = Object.fromEntries(filterQuery(state))
  return new URLSearchParams({ ...windowOf(state, momentMs), ...filters, ...zone, ...others })
}

/**
 * @param {PageState} state
 * @param {number} momentMs
 */
function windowOf(state, momentMs) {
  try {
    return resolveWindow(state, momentMs)
  } catch (error) {
    throw error instanceof RangeError ? new ApiError('refused', error.message) : error
  }
}

/**
 * Returns the filters of the page. The stream takes these, but no window.
 *
 * @param {PageState} state
 */
export function filterQuery(state) {
  const query = new URLSearchParams()
  if (state.currency !== '') query.set('currency', state.currency)
  for (const name of FILTERS) if (state[name] !== '') query.set(name, state[name])
  // In the question for statistics, `true` isn't a filter: it only asks for counts.
  if (state.unpriced === 'true') query.set('unpriced', 'both')
  for (const [name, value] of Object.entries(state.labels)) query.set(`label:${name}`, value)
  return query
}

/**
 * The question for the tiles.
 *
 * @param {PageState} state
 * @param {number} momentMs
 */
export function statsQuery(state, momentMs) {
  return scopeQuery(state, momentMs, { percentiles: 'true', unknown: 'true' })
}

/**
 * The question for the failures by status.
 *
 * @param {PageState} state
 * @param {number} momentMs
 */
export function failuresQuery(state, momentMs) {
  return scopeQuery(state, momentMs, { success: 'false', group_by: 'error_status', limit: '100' })
}

/**
 * The question for the charts.
 *
 * @param {PageState} state
 * @param {number} momentMs
 */
export function seriesQuery(state, momentMs) {
  return scopeQuery(state, momentMs, { by: state.by, unknown: 'true' })
}

/**
 * The question for the costs by name, the largest first.
 *
 * @param {PageState} state
 * @param {number} momentMs
 * @param {number} limit how many names
 */
export function sumsQuery(state, momentMs, limit) {
  // The tiers of the arbstr gateway's API don't tell requests without a tier from ‘unknown’.
  const by = state.by === 'tier' ? 'label:tier' : state.by
  return scopeQuery(state, momentMs, { unknown: 'true', group_by: by, sort: 'cost', limit: String(limit) })
}

/**
 * The question for one page of the list.
 *
 * @param {PageState} state
 * @param {number} momentMs
 * @param {string} cursor `start`, or the last page's `next_cursor`
 * @param {number} [perPage]
 */
export function pageQuery(state, momentMs, cursor, perPage = 50) {
  const { sort, order } = state
  // The server sorts by dollars only if the question names the currency.
  const currency = sort === 'cost_usd' ? { currency: 'usd' } : {}
  const page = { sort, ...currency, order, details: 'true', per_page: String(perPage), cursor }
  return scopeQuery(state, momentMs, page)
}

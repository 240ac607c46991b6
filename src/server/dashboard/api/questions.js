import { FILTERS } from '../page/page-state.js'
import { resolveWindow } from '../page/time-window.js'
import { ApiError } from './api.js'

/** @typedef {import('../page/page-state.js').PageState} PageState */

const PER_PAGE = 50

/**
 * Returns the window at a moment, the zone and the filters of the page.
 *
 * @param {PageState} state
 * @param {number} momentMs
 * @throws {ApiError} if the window is invalid
 */
function scopeQuery(state, momentMs) {
  const query = new URLSearchParams([...windowQuery(state, momentMs), ...filterQuery(state)])
  if (state.timezone !== '') query.set('timezone', state.timezone)
  return query
}

/**
 * Returns the window at a moment.
 *
 * @param {PageState} state
 * @param {number} momentMs
 * @throws {ApiError} if it is invalid
 */
function windowQuery(state, momentMs) {
  try {
    return new URLSearchParams(resolveWindow(state, momentMs))
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
  const query = scopeQuery(state, momentMs)
  query.set('percentiles', 'true')
  query.set('unknown', 'true')
  return query
}

/**
 * The question for the failures by status.
 *
 * @param {PageState} state
 * @param {number} momentMs
 */
export function failuresQuery(state, momentMs) {
  const query = scopeQuery(state, momentMs)
  query.set('success', 'false')
  query.set('group_by', 'error_status')
  query.set('limit', '100')
  return query
}

/**
 * The question for the charts.
 *
 * @param {PageState} state
 * @param {number} momentMs
 */
export function seriesQuery(state, momentMs) {
  const query = scopeQuery(state, momentMs)
  query.set('by', state.by)
  query.set('unknown', 'true')
  return query
}

/**
 * The question for the costs by name, the largest first.
 *
 * @param {PageState} state
 * @param {number} momentMs
 * @param {number} limit how many names
 */
export function sumsQuery(state, momentMs, limit) {
  const query = scopeQuery(state, momentMs)
  query.set('unknown', 'true')
  // The tiers of the arbstr gateway's API don't tell requests without a tier from ‘unknown’.
  query.set('group_by', state.by === 'tier' ? 'label:tier' : state.by)
  query.set('sort', 'cost')
  query.set('limit', String(limit))
  return query
}

/**
 * The question for one page of the list.
 *
 * @param {PageState} state
 * @param {number} momentMs
 * @param {string} cursor `start`, or the last page's `next_cursor`
 */
export function pageQuery(state, momentMs, cursor) {
  const query = scopeQuery(state, momentMs)
  query.set('sort', state.sort)
  // The server sorts by dollars only if the question names the currency.
  if (state.sort === 'cost_usd') query.set('currency', 'usd')
  query.set('order', state.order)
  query.set('details', 'true')
  query.set('per_page', String(PER_PAGE))
  query.set('cursor', cursor)
  return query
}

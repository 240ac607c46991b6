/** @typedef {import('./page-state.js').PageState} PageState */

const PER_PAGE = 50

/**
 * The window alone.
 *
 * @param {PageState} state
 */
export function windowQuery({ range, since, until }) {
  const query = new URLSearchParams()
  if (since === null) query.set('range', `last_${range}`)
  else query.set('since', since)
  if (since !== null && until !== null) query.set('until', until)
  return query
}

/**
 * Window and filters of the whole page.
 *
 * @param {PageState} state
 */
function scopeQuery(state) {
  const query = windowQuery(state)
  addScope(query, state)
  return query
}

/**
 * For the tiles, and for the models there are.
 *
 * @param {PageState} state
 */
export function statsQuery(state) {
  const query = scopeQuery(state)
  query.set('group_by', 'model')
  query.set('percentiles', 'true')
  query.set('unpriced', 'true')
  return query
}

/**
 * For the charts.
 *
 * @param {PageState} state
 */
export function seriesQuery(state) {
  const query = scopeQuery(state)
  query.set('by', state.by)
  return query
}

/**
 * For a page of the list.
 *
 * @param {PageState} state
 * @param {string} cursor `start`, or the last page's `next_cursor`
 */
export function pageQuery(state, cursor) {
  const query = windowQuery(state)
  for (const [name, value] of listQuery(state)) query.set(name, value)
  query.set('sort', state.sort)
  query.set('order', state.order)
  query.set('per_page', String(PER_PAGE))
  query.set('cursor', cursor)
  return query
}

/**
 * What the list and the stream are asked by, without the window.
 *
 * @param {PageState} state
 */
export function listQuery(state) {
  const query = new URLSearchParams()
  addScope(query, state)
  if (state.success !== '') query.set('success', state.success)
  if (state.streaming !== '') query.set('streaming', state.streaming)
  if (state.correlationId !== '') query.set('correlation_id', state.correlationId)
  return query
}

/**
 * @param {URLSearchParams} query
 * @param {PageState} state
 */
function addScope(query, { model, provider, labels }) {
  if (model !== '') query.set('model', model)
  if (provider !== '') query.set('provider', provider)
  for (const [name, value] of Object.entries(labels)) query.set(`label:${name}`, value)
}

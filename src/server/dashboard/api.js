/** @typedef {import('./page-state.js').PageState} PageState */

/** Why a question to the server has no answer. */
export class ApiError extends Error {
  /**
   * @param {'unreachable' | 'unauthorized' | 'refused' | 'failed'} kind refused: the question is wrong (400, 404); failed:
   *   the server's own fault
   * @param {string} message
   */
  constructor(kind, message) {
    super(message)
    this.name = 'ApiError'
    this.kind = kind
  }
}

/**
 * Asks the server.
 *
 * @template Body
 * @param {string} path
 * @param {URLSearchParams} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Body>}
 * @throws {ApiError} when there is no answer or it is an error. An abort throws what `fetch` throws.
 */
export async function ask(path, query, signal) {
  const url = query === undefined || query.size === 0 ? path : `${path}?${query}`
  const response = await reach(url, signal)
  const body = await response.json().catch(() => {
    signal?.throwIfAborted()
    return null
  })
  if (response.ok && body !== null) return body
  const message = body?.error?.message ?? `The server answered ${response.status} ${response.statusText}`
  if (response.status === 401) throw new ApiError('unauthorized', message)
  throw new ApiError(response.status >= 500 || response.ok ? 'failed' : 'refused', message)
}

/**
 * `GET /healthz`: its body says how things stand, whatever its status.
 *
 * @returns {Promise<Partial<import('../health.js').HealthReport>>}
 * @throws {ApiError} unreachable
 */
export async function askHealth() {
  const response = await reach('/healthz')
  return response.json().catch(() => ({}))
}

/**
 * @param {string} url
 * @param {AbortSignal} [signal]
 */
async function reach(url, signal) {
  try {
    return await fetch(url, { signal: signal ?? null, headers: { accept: 'application/json' } })
  } catch (error) {
    signal?.throwIfAborted()
    throw new ApiError('unreachable', error instanceof Error ? error.message : String(error))
  }
}

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
export function scopeQuery(state) {
  const query = windowQuery(state)
  addScope(query, state)
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

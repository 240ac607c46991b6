import { learnTime } from './clock.js'

/** The error of a question that the server didn't answer, or refused. */
export class ApiError extends Error {
  /**
   * @param {'unreachable' | 'unauthorized' | 'refused' | 'waits' | 'failed'} kind refused: the
   *   question is wrong (400, 404); waits: there is no database yet; failed: an error of the server
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(kind, message, options) {
    super(message, options)
    this.name = 'ApiError'
    this.kind = kind
  }
}

/** @type {Map<string, Promise<Response>>} the answers to questions that were sent ahead, by URL */
const ahead = new Map()

/**
 * Sends a question before the module that needs its answer has loaded. The first call of `ask` with
 * the same question gets this answer.
 *
 * @param {string} path
 * @param {URLSearchParams} query
 */
export function askAhead(path, query) {
  const answer = reach(urlOf(path, query))
  // If it fails, the later call of `ask` throws.
  answer.catch(() => {})
  ahead.set(urlOf(path, query), answer)
}

/**
 * Asks the server.
 *
 * @template Body
 * @param {string} path
 * @param {URLSearchParams} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Body>}
 * @throws {ApiError} if there is no answer or it is an error. An abort throws what `fetch` throws.
 */
export async function ask(path, query, signal) {
  const url = urlOf(path, query)
  const response = await (ahead.get(url) ?? reach(url, signal))
  ahead.delete(url)
  const body = await response.json().catch(() => {
    signal?.throwIfAborted()
    return null
  })
  if (response.ok && body !== null) return body
  const message = body?.error?.message ?? `The server answered ${response.status} ${response.statusText}`
  if (response.status === 503 && /no database yet/.test(message)) throw new ApiError('waits', message)
  if (response.status === 401) throw new ApiError('unauthorized', message)
  throw new ApiError(response.status >= 500 || response.ok ? 'failed' : 'refused', message)
}

/** Asks only for the time, which is in a header of every answer. */
export async function askTime() {
  const askedMs = Date.now()
  try {
    learnTime(await fetch(urlOf(''), { method: 'HEAD' }), askedMs)
  } catch {
    // The questions that follow will fail too, and are handled.
  }
}

/**
 * Asks `GET /healthz`. Its body is a report, whether its status is 200 or 503.
 *
 * @returns {Promise<Partial<import('../../health/health-report.js').HealthReport>>}
 * @throws {ApiError} unreachable; refused if something else answers, such as a proxy
 */
export async function askHealth() {
  const response = await reach(urlOf('healthz'))
  const report = await response.json().catch(() => null)
  if (Array.isArray(report?.problems)) return report
  throw new ApiError('refused', `/healthz was answered with ${response.status} ${response.statusText}`)
}

/**
 * @param {string} url
 * @param {AbortSignal} [signal]
 */
async function reach(url, signal) {
  const askedMs = Date.now()
  try {
    const response = await fetch(url, { signal: signal ?? null, headers: { accept: 'application/json' } })
    learnTime(response, askedMs)
    return response
  } catch (error) {
    signal?.throwIfAborted()
    throw new ApiError('unreachable', 'The server doesn’t answer', { cause: error })
  }
}

/**
 * Returns the URL of a path in the page's own folder, since a proxy may serve the page at
 * `/journal/`. It is made from those parts of the page's address that never have a user and a
 * password: `fetch` refuses a URL with those, and a relative URL would inherit them from the
 * address that the user typed.
 *
 * @param {string} path relative: `v1/stats`
 * @param {URLSearchParams} [query]
 */
export function urlOf(path, query) {
  const url = new URL(path, location.origin + location.pathname)
  if (query !== undefined) url.search = query.toString()
  return url.href
}

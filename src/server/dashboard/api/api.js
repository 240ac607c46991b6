import { learnTime } from './clock.js'

/** A question to the server that has no answer. */
export class ApiError extends Error {
  /**
   * @param {'unreachable' | 'unauthorized' | 'refused' | 'waits' | 'failed'} kind refused: the
   *   question is wrong (400, 404); waits: there is no database yet; failed: it is the server's
   *   fault
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(kind, message, options) {
    super(message, options)
    this.name = 'ApiError'
    this.kind = kind
  }
}

/** @type {Map<string, Promise<Response>>} answers that were asked for ahead, by URL */
const ahead = new Map()

/**
 * Sends a question before the module that needs its answer has been loaded. The first to ask it
 * gets this answer.
 *
 * @param {string} path
 * @param {URLSearchParams} query
 */
export function askAhead(path, query) {
  const answer = reach(urlOf(path, query))
  // Whoever asks later is told about its failure.
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

/** Asks for nothing but the time, which the head of every answer has. */
export async function askTime() {
  const askedMs = Date.now()
  try {
    learnTime(await fetch(urlOf(''), { method: 'HEAD' }), askedMs)
  } catch {
    // The questions that follow will say so.
  }
}

/**
 * Asks `GET /healthz`, whose body says how things stand, whatever its status.
 *
 * @returns {Promise<Partial<import('../../health/health-report.js').HealthReport>>}
 * @throws {ApiError} unreachable; refused if the answer is that of somebody else, such as a proxy
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
 * The URL of a path below the folder that the page itself is in, since a proxy may serve it at
 * `/journal/`. It is made from the parts of the page's address that never have a user and a
 * password: `fetch` refuses a URL with those, and a relative one would take them over from the
 * address that somebody typed.
 *
 * @param {string} path relative: `v1/stats`
 * @param {URLSearchParams} [query]
 */
export function urlOf(path, query) {
  const url = new URL(path, location.origin + location.pathname)
  if (query !== undefined) url.search = query.toString()
  return url.href
}

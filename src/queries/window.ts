import { canonicalTimestamp } from '../events/timestamp.js'
import { QueryError } from './errors.js'

/** Which requests a question is about, by time. */
export interface Window {
  /** Inclusive, RFC 3339 with seconds and an offset. @default no bound */
  since?: string | undefined
  /** Inclusive, RFC 3339 with seconds and an offset. @default no bound */
  until?: string | undefined
}

/** A window as an answer echoes it: canonical timestamps. */
export interface EchoedWindow {
  since: string
  until: string
}

/** How an answer names a missing lower bound. */
export const BEGINNING_OF_TIME = '0001-01-01T00:00:00.000Z'
/** How an answer names a missing upper bound. */
export const END_OF_TIME = '9999-12-31T23:59:59.999Z'

const HOUR_MS = 3_600_000

/** The preset windows, each that long before now, in milliseconds. */
export const RANGES: Readonly<Record<string, number>> = {
  last_1h: HOUR_MS,
  last_24h: 24 * HOUR_MS,
  last_7d: 7 * 24 * HOUR_MS,
  last_30d: 30 * 24 * HOUR_MS,
}

/**
 * The window that an API's parameters name: from `since`, else `range` before now, else 7 days before now; to `until`,
 * else now. All that is given is checked, in this order: since, range, until.
 *
 * @param now milliseconds since 1970.
 * @throws QueryError INVALID_SINCE, INVALID_RANGE, INVALID_UNTIL
 */
export function resolveWindow(
  parameters: { since?: string | undefined; range?: string | undefined; until?: string | undefined },
  now: number,
): EchoedWindow {
  const since = parameters.since === undefined ? undefined : canonicalBound('since', parameters.since)
  const start = rangeStart(parameters.range ?? 'last_7d', now)
  const until = parameters.until === undefined ? undefined : canonicalBound('until', parameters.until)
  return { since: since ?? start, until: until ?? new Date(now).toISOString() }
}

/**
 * When a preset window begins.
 *
 * @throws QueryError INVALID_RANGE
 */
export function rangeStart(range: string, now: number): string {
  const lengthMs = Object.hasOwn(RANGES, range) ? RANGES[range] : undefined
  if (lengthMs === undefined) {
    const supported = Object.keys(RANGES).join(', ')
    throw new QueryError('INVALID_RANGE', `Invalid range '${range}'. Supported: ${supported}`)
  }
  return new Date(now - lengthMs).toISOString()
}

/**
 * The same window with canonical bounds.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL
 */
export function canonicalWindow({ since, until }: Window): Window {
  return {
    since: since === undefined ? undefined : canonicalBound('since', since),
    until: until === undefined ? undefined : canonicalBound('until', until),
  }
}

/** Digits of a second that are finer than what rows have, unless all of them are zero. */
const FINE_DIGITS = /\.\d{3}(\d*[1-9])/

/**
 * The lower bound that is exact although rows have milliseconds only: what begins within a millisecond doesn't have the rows
 * of that millisecond. An upper bound is exact when its finer digits are cut.
 *
 * @throws QueryError INVALID_SINCE
 */
export function exactSince(text: string): string {
  const since = canonicalBound('since', text)
  if (fineDigits(text) === '') return since
  const next = new Date(Date.parse(since) + 1).toISOString()
  // The year 10000 has no canonical form, and no rows.
  return next.length === since.length ? next : since
}

/** How an answer names a bound that was asked for: the same instant in UTC, with all of its digits. */
export function exactEcho(name: 'since' | 'until', text: string): string {
  const digits = fineDigits(text)
  const timestamp = canonicalBound(name, text)
  return digits === '' ? timestamp : `${timestamp.slice(0, -1)}${digits}Z`
}

function fineDigits(text: string): string {
  // A leap second counts as the last millisecond before it, whatever its digits.
  return /:60\./.test(text) ? '' : (FINE_DIGITS.exec(text)?.[1] ?? '')
}

/** The window as an answer echoes it. */
export function echoWindow({ since, until }: Window): EchoedWindow {
  return { since: since ?? BEGINNING_OF_TIME, until: until ?? END_OF_TIME }
}

function canonicalBound(name: 'since' | 'until', text: string): string {
  const timestamp = canonicalTimestamp(text)
  if (timestamp !== null) return timestamp
  const code = name === 'since' ? 'INVALID_SINCE' : 'INVALID_UNTIL'
  const expected = 'expected RFC 3339 with seconds and an offset, such as 2026-11-22T19:43:00Z'
  throw new QueryError(code, `Invalid '${name}' timestamp: '${text}', ${expected}`)
}

import { canonicalTimestamp } from '../../events/timestamp.js'
import { QueryError } from '../errors.js'
import { namedPeriod } from './calendar-ranges.js'
import { TimeZone } from './time-zone.js'

/**
 * The span of time whose requests a question is about. Bounds are RFC 3339 with seconds, an offset,
 * and any number of digits in the fraction.
 */
export interface Window {
  /** Inclusive. @default no bound */
  since?: string | undefined
  /** Inclusive. @default no bound */
  until?: string | undefined
  /**
   * Exclusive, instead of `until`: consecutive windows then count each request exactly once.
   * @default no bound
   */
  before?: string | undefined
}

/** A window as an answer echoes it: the same instants in UTC, with all of their digits. */
export interface EchoedWindow {
  since: string
  /** The last millisecond before `before`, if that was given. */
  until: string
  /** Present only when it was asked for. */
  before?: string
}

/** The lower bound that an answer names for a window without one. */
export const BEGINNING_OF_TIME = '0001-01-01T00:00:00.000Z'
/** The upper bound that an answer names for a window without one. */
export const END_OF_TIME = '9999-12-31T23:59:59.999Z'

const HOUR_MS = 3_600_000

/** The preset windows, with how many milliseconds before now they begin. */
export const RANGES: Readonly<Record<string, number>> = {
  last_1h: HOUR_MS,
  last_24h: 24 * HOUR_MS,
  last_7d: 7 * 24 * HOUR_MS,
  last_30d: 30 * 24 * HOUR_MS,
}

/** The parameters of a window, as in the API's query string. */
export interface WindowParameters extends Window {
  /**
   * A preset of {@link RANGES}; `today`, `yesterday`, `this_month` or `last_month`; or the date of
   * a year, month or day: `2026`, `2026-10`, `2026-10-31`.
   */
  range?: string | undefined
  /** The zone of these days and months, by its name in the IANA database. @default UTC */
  timezone?: string | undefined
}

/**
 * Returns the window that an API's parameters name. It begins at `since`, or else at the beginning
 * of `range`, or else 7 days before now. It ends at `until` or `before`. Without them it ends with
 * `range`, if that is over and there is no `since`, or else now. Every parameter is checked, in
 * this order: timezone, since, range, until, before.
 *
 * @param now milliseconds since 1970.
 * @throws QueryError INVALID_TIMEZONE, INVALID_SINCE, INVALID_RANGE, INVALID_UNTIL, INVALID_BEFORE
 */
export function resolveWindow(parameters: WindowParameters, now: number): Window {
  const zone = parameters.timezone === undefined ? TimeZone.UTC : new TimeZone(parameters.timezone)
  const bound = (name: Bound) => {
    const text = parameters[name]
    return text === undefined ? undefined : exactEcho(name, text, rangeHint(text, now))
  }
  const since = bound('since')
  const range = rangeOf(parameters.range ?? 'last_7d', zone, now)
  const end = { until: bound('until'), before: bound('before') }
  if (end.until !== undefined || end.before !== undefined) return { since: since ?? range.since, ...end }
  return since === undefined && range.before !== undefined
    ? range
    : { since: since ?? range.since, until: instant(now) }
}

/** Returns `before` only if the range is over. */
function rangeOf(range: string, zone: TimeZone, now: number): { since: string; before?: string } {
  const period = namedPeriod(range, zone, now)
  if (period === null) return { since: rangeStart(range, now) }
  const { startMs, endMs } = period
  return { since: instant(startMs), ...(endMs <= now ? { before: instant(endMs) } : {}) }
}

/** Returns when a preset window begins. @throws QueryError INVALID_RANGE */
export function rangeStart(range: string, now: number): string {
  const lengthMs = Object.hasOwn(RANGES, range) ? RANGES[range] : undefined
  if (lengthMs === undefined) {
    const supported = Object.keys(RANGES).join(', ')
    throw new QueryError('INVALID_RANGE', `Invalid range '${range}'. Supported: ${supported}`)
  }
  return instant(now - lengthMs)
}

/**
 * Returns the window with bounds that can be compared with rows, whose timestamps have milliseconds
 * only. If a bound is finer than that, the rows of its millisecond count as its beginning: a window
 * that starts within a millisecond leaves them out, and one that ends within it includes them.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL, INVALID_BEFORE
 */
export function canonicalWindow({ since, until, before }: Window): Window {
  const window = {
    since: since === undefined ? undefined : nextMillisecond('since', since),
    until: until === undefined ? undefined : canonicalBound('until', until),
    before: before === undefined ? undefined : nextMillisecond('before', before),
  }
  if (until === undefined || before === undefined) return window
  const found = `'until' and 'before' were both given, expected one of them`
  throw new QueryError('INVALID_BEFORE', `Invalid window: ${found}: leave out the other`)
}

/** Returns the window as an answer echoes it. Throws as {@link canonicalWindow} does. */
export function echoWindow(window: Window): EchoedWindow {
  const since = window.since === undefined ? BEGINNING_OF_TIME : exactEcho('since', window.since)
  if (window.before !== undefined) {
    const end = nextMillisecond('before', window.before)
    return { since, until: instant(Date.parse(end) - 1), before: exactEcho('before', window.before) }
  }
  return { since, until: window.until === undefined ? END_OF_TIME : exactEcho('until', window.until) }
}

type Bound = keyof Window

/** The digits of a second after the milliseconds, unless all of them are zero. */
const FINE_DIGITS = /\.\d{3}(\d*[1-9])/

/** Returns the first whole millisecond at or after an instant. */
function nextMillisecond(name: Bound, text: string): string {
  const timestamp = canonicalBound(name, text)
  if (fineDigits(text) === '') return timestamp
  const next = instant(Date.parse(timestamp) + 1)
  // The year 10000 has no canonical form, and no rows.
  return next.length === timestamp.length ? next : timestamp
}

/** Returns the same instant in UTC, with all of its digits. */
function exactEcho(name: Bound, text: string, advice = ''): string {
  const digits = fineDigits(text)
  const timestamp = canonicalBound(name, text, advice)
  return digits === '' ? timestamp : `${timestamp.slice(0, -1)}${digits}Z`
}

function fineDigits(text: string): string {
  // A leap second counts as the last millisecond of the second before it, whatever its digits are.
  return /:60\./.test(text) ? '' : (FINE_DIGITS.exec(text)?.[1] ?? '')
}

export function instant(ms: number): string {
  return new Date(ms).toISOString()
}

const CODES = { since: 'INVALID_SINCE', until: 'INVALID_UNTIL', before: 'INVALID_BEFORE' } as const

/** Says what to ask for in place of a bound that is a date, or a word such as `today`. */
function rangeHint(text: string, now: number): string {
  if (namedPeriod(text, TimeZone.UTC, now) === null) return ''
  const month = /^(\d{4}-\d{2})-\d{2}$/.exec(text)?.[1]
  return `; for a whole day, month or year of timezone= ask with range=${text}${month === undefined ? '' : ` or range=${month}`} alone`
}

/** @param advice what follows the message. */
function canonicalBound(name: Bound, text: string, advice = ''): string {
  const timestamp = canonicalTimestamp(text)
  if (timestamp !== null) return timestamp
  const expected = 'expected RFC 3339 with seconds and an offset, such as 2026-11-22T19:43:00Z'
  // A plus sign in a URL is decoded as a space.
  const hint = / \d\d:\d\d$/.test(text) ? '; in a URL the + of an offset is written %2B' : ''
  throw new QueryError(CODES[name], `Invalid '${name}' timestamp: '${text}', ${expected}${hint}${advice}`)
}

import { calendarPeriod, instantAt, localTime } from './zone.js'

/**
 * A window in the words that people type, which are the same as on the command line.
 *
 * @typedef {object} WindowState
 * @property {string} range `24h`, `90m`, `2d`: ends now; `today`, `last_month`: ends now, or with
 *   it;
 *   ignored if `since` is set
 * @property {string | null} since
 * @property {string | null} until inclusive
 * @property {string | null} before exclusive; null, as `until` is: now
 */

/** The ranges with a button of their own, and what the window before each is called. */
export const PRESETS = /** @type {const} */ ({
  '1h': 'the hour before',
  '24h': 'the 24 h before',
  '7d': 'the 7 days before',
  '30d': 'the 30 days before',
})

/**
 * The days and months of the zone that is shown.
 *
 * @type {Readonly<Record<string, { unit: 'day' | 'month', back: number, before: string }>>}
 */
const CALENDAR = {
  today: { unit: 'day', back: 0, before: 'the same time yesterday' },
  yesterday: { unit: 'day', back: 1, before: 'the day before' },
  this_month: { unit: 'month', back: 0, before: 'the same time last month' },
  last_month: { unit: 'month', back: 1, before: 'the month before' },
}

// The grammar is the command line's, in src/queries/window/window-words.ts: one table tests both.

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 }
const LENGTH = /^([1-9]\d{0,6})([mhdw])$/
const SERVER_PRESETS = ['last_1h', 'last_24h', 'last_7d', 'last_30d']
const TIME = /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(?::(\d{2})(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})?)?$/
/** The parts of a time that are filled in if they were left out. */
const MISSING_PARTS = {
  start: { time: '00:00', second: '00', fraction: '' },
  end: { time: '23:59', second: '59', fraction: '.999' },
}
/** A year, month or day by its date. */
const DATED = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/
const FIRST_MS = Date.parse('0001-01-01T00:00:00.000Z')

/**
 * Returns the length in milliseconds of a window such as `90m`, `1h`, `2d`, `1w`, or of a preset
 * such as `last_1h`; null for other words.
 *
 * @param {string} words
 */
export function windowLength(words) {
  const text = SERVER_PRESETS.includes(words) ? words.slice('last_'.length) : words
  const [, count, unit] = LENGTH.exec(text) ?? []
  return count === undefined ? null : Number(count) * UNIT_MS[/** @type {'m' | 'h' | 'd' | 'w'} */ (unit)]
}

/**
 * Returns the range with a button that means the same, `24h` for `1d` or `last_24h`; other words as
 * they are.
 *
 * @param {string} range
 */
export function presetOf(range) {
  const length = windowLength(range)
  const same = Object.keys(PRESETS).find((preset) => length !== null && windowLength(preset) === length)
  return same ?? range
}

/**
 * Whether a range is the date of a year, month or day: `2026`, `2026-10`, `2026-10-31`.
 *
 * @param {string} range
 */
export function isDated(range) {
  return DATED.test(range)
}

/** @param {string} range */
export function calendarOf(range) {
  return Object.hasOwn(CALENDAR, range) ? CALENDAR[range] : undefined
}

/**
 * Returns the instant that words name, in a form that the server takes; null if they don't name
 * one. A length is the instant that long before now. A date, a month, a year or `yesterday` is a
 * period of the zone that is shown, and a time without an offset is what the clocks of that zone
 * show. For `start`, it is the first millisecond of what was named, and for `end` the last. A
 * complete time with an offset stays as it is: the server checks it.
 *
 * @param {string} words
 * @param {'start' | 'end'} edge
 * @param {number} nowMs
 */
export function instantOf(words, edge, nowMs) {
  const lengthMs = windowLength(words)
  if (lengthMs !== null) return new Date(Math.max(FIRST_MS, nowMs - lengthMs)).toISOString()
  const calendar = calendarOf(words)
  if (calendar !== undefined) {
    const { startMs, endMs } = calendarPeriod(calendar.unit, nowMs, calendar.back)
    return new Date(edge === 'start' ? startMs : endMs - 1).toISOString()
  }
  const dated = datedPeriod(words)
  if (dated !== null) return new Date(edge === 'start' ? dated.startMs : dated.endMs - 1).toISOString()
  const match = TIME.exec(words)
  if (match === null) return null
  const rest = MISSING_PARTS[edge]
  const [, date, time = rest.time, second = rest.second, fraction = rest.fraction, offset] = match
  if (offset !== undefined && match[3] !== undefined) return words
  const local = `${date}T${time}:${second}`
  const ms = Date.parse(`${local}${fraction}${offset ?? 'Z'}`)
  // JavaScript takes February 30 for March 2, and 24:00 for the next day.
  const isReal = !Number.isNaN(ms) && new Date(`${local}Z`).toISOString().startsWith(local)
  if (!isReal) return null
  return new Date(offset === undefined ? instantAt(ms, edge) : ms).toISOString()
}

/**
 * Returns the instants at which a year, month or day of the zone and the next one begin; null for
 * other words.
 *
 * @param {string} words
 */
function datedPeriod(words) {
  const [, years, months, days] = DATED.exec(words) ?? []
  if (years === undefined) return null
  const [year, month, day] = [Number(years), Number(months ?? 1) - 1, Number(days ?? 1)]
  // JavaScript would take February 30 for March 2.
  if (!new Date(Date.UTC(year, month, day)).toISOString().startsWith(words)) return null
  const next =
    months === undefined
      ? Date.UTC(year + 1, 0)
      : days === undefined
        ? Date.UTC(year, month + 1)
        : Date.UTC(year, month, day + 1)
  return { startMs: instantAt(Date.UTC(year, month, day), 'start'), endMs: instantAt(next, 'start') }
}

/**
 * Returns the bounds of a window at a moment, as the server takes them.
 *
 * @param {WindowState} window
 * @param {number} nowMs
 * @returns {{ since: string, until?: string, before?: string }}
 * @throws {RangeError} if the window is invalid
 */
export function resolveWindow({ range, since, until, before }, nowMs) {
  const length = windowLength(range)
  const calendar = since === null ? calendarOf(range) : undefined
  if (since === null && (until ?? before) !== null) {
    const end = until === null ? 'before' : 'until'
    throw new RangeError(`Found '${end}' without 'since': add the beginning of the window, or leave it out`)
  }
  if (since === null && length === null && calendar === undefined) {
    const expected = `Expected ${Object.keys(PRESETS).join(', ')}, or a length such as 90m, 1h, 2d, 1w, ${Object.keys(CALENDAR).join(', ')}, or a month, day or year: 2026-10, 2026-10-31, 2026`
    throw new RangeError(`Invalid range '${range}'. ${expected}`)
  }
  if (calendar !== undefined) {
    const { startMs, endMs } = calendarPeriod(calendar.unit, nowMs, calendar.back)
    return { since: new Date(startMs).toISOString(), before: new Date(Math.min(endMs, nowMs)).toISOString() }
  }
  // Words that aren't understood are sent as they are: the server says what is wrong with them.
  const bound = (/** @type {string} */ words, /** @type {'start' | 'end'} */ edge) =>
    instantOf(words, edge, nowMs) ?? words
  return {
    since: bound(since ?? range, 'start'),
    ...(until === null ? {} : { until: bound(until, 'end') }),
    ...(before === null ? {} : { before: bound(before, 'start') }),
    ...(until === null && before === null ? { before: new Date(nowMs).toISOString() } : {}),
  }
}

/** @param {WindowState} window */
export function endsNow({ range, since, until, before }) {
  const isOver = since === null && (calendarOf(range)?.back ?? 0) > 0
  return until === null && before === null && !isOver
}

/**
 * Converts the value of `<input type="datetime-local">`, a time in the zone that is shown; null if
 * it isn't a time.
 *
 * @param {string} local
 */
export function fromInput(local) {
  const ms = Date.parse(`${local}Z`)
  return Number.isNaN(ms) ? null : new Date(instantAt(ms, 'start')).toISOString()
}

/**
 * Returns the exclusive end of a window, from the end that the user typed. Only whole seconds can
 * be typed, so the window includes all of that second: 23:59:59 is the end of a day. But a whole
 * minute is excluded: 00:00:00 of the next day is also the end of a day.
 *
 * @param {string} local
 */
export function endFromInput(local) {
  const typed = fromInput(local)
  if (typed === null || typed.slice(17, 19) === '00') return typed
  return new Date(Math.floor(Date.parse(typed) / 1000) * 1000 + 1000).toISOString()
}

/**
 * Returns the value of the end's field for a window that ends before an instant. `endFromInput`
 * converts it back to that instant.
 *
 * @param {number} beforeMs
 */
export function endToInput(beforeMs) {
  if (Number.isNaN(beforeMs)) return ''
  const isBorder = beforeMs % UNIT_MS.m === 0
  return localTime(new Date(isBorder ? beforeMs : beforeMs - 1).toISOString()).slice(0, 19)
}

/**
 * Returns the exclusive end of a window, in milliseconds since 1970; null if it ends now, NaN if
 * its end isn't a time.
 *
 * @param {Pick<WindowState, 'until' | 'before'>} window
 */
export function endOf({ until, before }) {
  if (until !== null) return instantMs(until, 'end') + 1
  return before === null ? null : instantMs(before, 'start')
}

/**
 * Returns the value for `<input type="datetime-local">`, a time in the zone that is shown; empty if
 * the words aren't a time.
 *
 * @param {string} words
 * @param {'start' | 'end'} edge
 */
export function toInput(words, edge) {
  const ms = instantMs(words, edge)
  return Number.isNaN(ms) ? '' : localTime(new Date(ms).toISOString()).slice(0, 19)
}

/**
 * @param {string} words
 * @param {'start' | 'end'} edge
 */
function instantMs(words, edge) {
  return Date.parse(instantOf(words, edge, Date.now()) ?? '')
}

/**
 * Returns how often to ask for the figures of a window again, in milliseconds; null if it is over.
 *
 * @param {WindowState} window
 * @param {number} nowMs
 */
export function refreshEveryMs({ range, since, until, before }, nowMs) {
  const end = until === null ? before : until
  if (end !== null) return instantMs(end, until === null ? 'start' : 'end') > nowMs ? 30_000 : null
  const length = since === null ? windowLength(range) : null
  if (length === null) return 60_000
  return length <= UNIT_MS.h ? 10_000 : length <= UNIT_MS.d ? 15_000 : 60_000
}

import { canonicalTimestamp } from '../../events/timestamp.js'
import { namedPeriod } from './calendar-ranges.js'
import { type Edge, TimeZone } from './time-zone.js'
import { BEGINNING_OF_TIME, RANGES } from './window.js'

// The words in which people write windows, on the command line and in the dashboard's URL. The
// API's own `range`, `since` and `until` are as strict as its contract.

const UNIT_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
}

const LENGTH = /^([1-9]\d{0,6})([mhdw])$/

/** A date, optionally with a time (the seconds are optional too), and then optionally an offset. */
const TIME = /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(?::(\d{2})(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})?)?$/

/** The parts of a time that are filled in if they were left out. */
const MISSING_PARTS = {
  start: { time: '00:00', second: '00', fraction: '' },
  end: { time: '23:59', second: '59', fraction: '.999' },
}

/**
 * Returns the length in milliseconds of a window such as `90m`, `1h`, `2d`, `1w`, or of a preset
 * such as `last_1h`; null for other words.
 */
export function windowLength(words: string): number | null {
  if (Object.hasOwn(RANGES, words)) return RANGES[words] ?? null
  const [, count, unit = ''] = LENGTH.exec(words) ?? []
  return count === undefined ? null : Number(count) * (UNIT_MS[unit] ?? Number.NaN)
}

/**
 * Returns the instant that words name, as strict RFC 3339; null if they don't name one.
 *
 * - A length, as {@link windowLength} takes it, is the instant that long before now.
 * - A date, a month (`2026-10`), a year, `today`, `yesterday`, `this_month` or `last_month` is a
 *   period of the zone, and a time without an offset is what the zone's clocks show.
 * - For an `edge` of `start`, it is the first millisecond of the year, month, day, minute or second
 *   that is named; for `end` the last one, so that a window includes its end.
 * - Text that is strict RFC 3339 already stays as it is, with all of its digits.
 *
 * @param now milliseconds since 1970.
 */
export function instantOf(words: string, edge: Edge, now: number, zone = TimeZone.UTC): string | null {
  const lengthMs = windowLength(words)
  const first = Date.parse(BEGINNING_OF_TIME)
  if (lengthMs !== null) return new Date(Math.max(now - lengthMs, first)).toISOString()
  if (canonicalTimestamp(words) !== null) return words
  const period = namedPeriod(words, zone, now)
  if (period !== null) {
    return new Date(edge === 'start' ? period.startMs : period.endMs - 1).toISOString()
  }
  const rest = MISSING_PARTS[edge]
  const [, date, time = rest.time, second = rest.second, fraction = rest.fraction, offset] =
    TIME.exec(words) ?? []
  if (date === undefined) return null
  const instant = canonicalTimestamp(`${date}T${time}:${second}${fraction}${offset ?? 'Z'}`)
  if (instant === null || offset !== undefined) return instant
  return canonicalTimestamp(new Date(zone.instantAt(Date.parse(instant), edge)).toISOString())
}

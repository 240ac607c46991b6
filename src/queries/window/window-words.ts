import { canonicalTimestamp } from '../../events/timestamp.js'
import { namedPeriod } from './calendar-ranges.js'
import { type Edge, TimeZone } from './time-zone.js'
import { BEGINNING_OF_TIME, RANGES } from './window.js'

// People write windows in these words, on the command line and in the dashboard's URL. The API's
// own `range`, `since` and `until` stay as strict as its contract.

const UNIT_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
}

const LENGTH = /^([1-9]\d{0,6})([mhdw])$/

/** A date, perhaps a time without or with seconds, perhaps an offset. */
const TIME = /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(?::(\d{2})(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})?)?$/

/** What the missing parts of a time stand for. */
const REST = {
  start: { time: '00:00', second: '00', fraction: '' },
  end: { time: '23:59', second: '59', fraction: '.999' },
}

/**
 * The length of a window in milliseconds: of `last_1h` and the other presets, `90m`, `1h`, `2d`,
 * `1w`; null for other words.
 */
export function windowLength(words: string): number | null {
  if (Object.hasOwn(RANGES, words)) return RANGES[words] ?? null
  const [, count, unit = ''] = LENGTH.exec(words) ?? []
  return count === undefined ? null : Number(count) * (UNIT_MS[unit] ?? Number.NaN)
}

/**
 * The instant that words name, as strict RFC 3339; null if they don't name one. A {@link
 * windowLength} is that long before now. A date, a month (`2026-10`), a year, `today`, `yesterday`,
 * `this_month` and `last_month` are whole days of the zone, and a time without an offset is one that
 * its clocks show. `start` is the first and `end` the last millisecond of the year, month, day,
 * minute or second that is named, so that an end covers it. Text that is strict RFC 3339 already stays as it is,
 * with all of its digits.
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
  const rest = REST[edge]
  const [, date, time = rest.time, second = rest.second, fraction = rest.fraction, offset] =
    TIME.exec(words) ?? []
  if (date === undefined) return null
  const instant = canonicalTimestamp(`${date}T${time}:${second}${fraction}${offset ?? 'Z'}`)
  if (instant === null || offset !== undefined) return instant
  return canonicalTimestamp(new Date(zone.instantAt(Date.parse(instant), edge)).toISOString())
}

/**
 * The time zone in which the page shows times: UTC, or another zone of the IANA database. If its
 * name is unknown, times are in UTC, and the server says what is wrong with the name.
 */

const DAY_MS = 86_400_000
const OFFSET = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/

/** Null: UTC. @type {Intl.DateTimeFormat | null} */
let format = null
let name = 'UTC'

/** @param {string} zone empty: UTC */
export function showZone(zone) {
  format = null
  name = 'UTC'
  if (zone === '') return
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    name = zone
  } catch {
    // The server refuses it too, and says what is wrong.
  }
}

/** Returns the name of the zone, which is shown next to times. */
export function zoneName() {
  return name
}

/** Returns the last part of the name, `Berlin`, for places with little room. */
export function zoneCity() {
  return name.slice(name.lastIndexOf('/') + 1).replaceAll('_', ' ')
}

/** Returns the zone of this browser; empty for UTC. */
export function browserZone() {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions()
  return timeZone === 'UTC' || timeZone === 'Etc/UTC' ? '' : timeZone
}

/**
 * Returns how far the zone's clocks are ahead of UTC, in milliseconds.
 *
 * @param {number} ms
 */
export function offsetAt(ms) {
  const [, sign, hours, minutes, seconds = 0] = OFFSET.exec(format?.format(ms) ?? '') ?? []
  if (sign === undefined) return 0
  const offset = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
  return sign === '-' ? -offset : offset
}

/**
 * Returns what the zone's clocks show at an instant, in the form of a timestamp:
 * `2026-11-22T19:43:00.000`. Text that isn't a timestamp is returned as it is.
 *
 * @param {string} timestamp canonical
 */
export function localTime(timestamp) {
  if (format === null) return timestamp.replace(/Z$/, '')
  const ms = Date.parse(timestamp)
  return Number.isNaN(ms) ? timestamp : new Date(ms + offsetAt(ms)).toISOString().slice(0, -1)
}

/**
 * Returns the instant at which the zone's clocks show a time. If they show it twice, a start is the
 * first of the two instants and an end the last. If they skip it, a start is the first instant
 * after the gap, and an end the last one before it.
 *
 * @param {number} localMs as a clock in UTC would show it
 * @param {'start' | 'end'} edge
 */
export function instantAt(localMs, edge) {
  // The same as in src/queries/window/time-zone.ts: one table tests both.
  const [before, after] = [offsetAt(localMs - DAY_MS), offsetAt(localMs + DAY_MS)]
  const found = [before, after]
    .map((offset) => ({ ms: localMs - offset, offset }))
    .filter(({ ms, offset }) => offsetAt(ms) === offset)
    .map(({ ms }) => ms)
  if (found.length > 0) return edge === 'start' ? Math.min(...found) : Math.max(...found)
  let [same, other] = [localMs - DAY_MS, localMs + DAY_MS]
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2)
    if (offsetAt(middle) === before) same = middle
    else other = middle
  }
  return edge === 'start' ? other : same
}

/**
 * Returns the instants at which a day, month or year of the zone and the next one begin.
 *
 * @param {'day' | 'month' | 'year'} unit
 * @param {number} ms an instant
 * @param {number} back how many of these before that of the instant
 */
export function calendarPeriod(unit, ms, back) {
  const date = new Date(ms + offsetAt(ms))
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  const startOf = (/** @type {number} */ before) => {
    const starts = {
      day: Date.UTC(year, month, day - before),
      month: Date.UTC(year, month - before),
      year: Date.UTC(year - before, 0),
    }
    return instantAt(starts[unit], 'start')
  }
  return { startMs: startOf(back), endMs: startOf(back - 1) }
}

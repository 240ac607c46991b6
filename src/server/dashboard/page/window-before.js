import { calendarOf, endOf, instantOf, PRESETS } from './time-window.js'
import { calendarPeriod, localTime } from './zone.js'

const UNITS = /** @type {const} */ (['day', 'month', 'year'])

/**
 * Returns the day, month or year of the zone that is shown, if the bounds of a window are exactly
 * those of one; null for other windows.
 *
 * @param {WindowState} window
 */
function periodOf({ since, until, before }) {
  const startMs = since === null ? Number.NaN : Date.parse(instantOf(since, 'start', Date.now()) ?? '')
  const endMs = endOf({ until, before }) ?? Number.NaN
  if (Number.isNaN(startMs) || Number.isNaN(endMs)) return null
  const unit = UNITS.find((unit) => {
    const period = calendarPeriod(unit, startMs, 0)
    return period.startMs === startMs && period.endMs === endMs
  })
  return unit === undefined ? null : { unit, startMs, endMs }
}

/**
 * Returns the month that a window with bounds is exactly, `2026-10`; empty for other windows.
 *
 * @param {WindowState} window
 */
export function monthOf(window) {
  const period = periodOf(window)
  return period?.unit === 'month' ? localTime(new Date(period.startMs).toISOString()).slice(0, 7) : ''
}

/**
 * Returns the window with which another one is compared: the day, month or year before, or the same
 * part of it, or else the time of the same length just before. Both ends of a window are inclusive.
 *
 * @param {{ since: string, until: string }} window as an answer has it
 * @param {WindowState | null} asked
 * @param {number} nowMs
 * @returns {{ since: string, until: string, before: null }}
 */
export function windowBefore({ since, until }, asked, nowMs) {
  const start = Date.parse(since)
  const end = Date.parse(until) + 1
  const calendar = asked?.since === null ? calendarOf(asked.range) : undefined
  const unit = calendar?.unit ?? (asked === null ? undefined : periodOf(asked)?.unit)
  let [first, last] = [2 * start - end, start]
  if (unit !== undefined) {
    const { startMs, endMs } = calendarPeriod(unit, start, 1)
    first = startMs
    const isOver = calendar === undefined ? end <= nowMs : calendar.back > 0
    last = isOver ? endMs : Math.min(endMs, startMs + Math.min(end, nowMs) - start)
  }
  return { since: new Date(first).toISOString(), until: new Date(last - 1).toISOString(), before: null }
}

/**
 * Returns what the window before is called.
 *
 * @param {WindowState} window
 * @param {number} nowMs
 */
export function beforeName(window, nowMs) {
  const { range, since } = window
  const calendar = since === null ? calendarOf(range) : undefined
  if (calendar !== undefined) return calendar.before
  const period = periodOf(window)
  if (period !== null)
    return period.endMs <= nowMs ? `the ${period.unit} before` : `the same part of the ${period.unit} before`
  const name = Object.entries(PRESETS).find(([preset]) => since === null && preset === range)?.[1]
  return name ?? 'the same length of time before'
}

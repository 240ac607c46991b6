import type { TimeZone } from './time-zone.js'

/** The words for windows that are a day or a month of the calendar. */
export const CALENDAR_RANGES = ['today', 'yesterday', 'this_month', 'last_month'] as const

export type CalendarRange = (typeof CALENDAR_RANGES)[number]

/** The instants at which a period and the next one begin, in milliseconds since 1970. */
export interface Period {
  startMs: number
  endMs: number
}

/**
 * Finds the day, month or year of a zone that is meant by one of {@link CALENDAR_RANGES}, or by a
 * date such as `2026`, `2026-10` or `2026-10-31`. Returns null for other words.
 *
 * @param nowMs milliseconds since 1970.
 */
export function namedPeriod(words: string, zone: TimeZone, nowMs: number): Period | null {
  return isCalendarRange(words) ? calendarRange(words, zone, nowMs) : datedRange(words, zone)
}

function isCalendarRange(range: string): range is CalendarRange {
  return CALENDAR_RANGES.some((name) => name === range)
}

function calendarRange(range: CalendarRange, zone: TimeZone, nowMs: number): Period {
  const today = new Date(nowMs + zone.offsetAt(nowMs))
  const [year, month, day] = [today.getUTCFullYear(), today.getUTCMonth(), today.getUTCDate()]
  const startOf = (ofMonth: number, ofDay: number) => zone.instantAt(Date.UTC(year, ofMonth, ofDay), 'start')
  const back = range === 'yesterday' || range === 'last_month' ? 1 : 0
  return range === 'today' || range === 'yesterday'
    ? { startMs: startOf(month, day - back), endMs: startOf(month, day - back + 1) }
    : { startMs: startOf(month - back, 1), endMs: startOf(month - back + 1, 1) }
}

function datedRange(words: string, zone: TimeZone): Period | null {
  const [, years, months, days] = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/.exec(words) ?? []
  if (years === undefined) return null
  const [year, month, day] = [Number(years), Number(months ?? 1) - 1, Number(days ?? 1)]
  // JavaScript would take February 30 for March 2.
  if (!new Date(Date.UTC(year, month, day)).toISOString().startsWith(words)) return null
  const next =
    months === undefined
      ? [year + 1, 0, 1]
      : days === undefined
        ? [year, month + 1, 1]
        : [year, month, day + 1]
  const [endYear = year, endMonth = 0, endDay = 1] = next
  return {
    startMs: zone.instantAt(Date.UTC(year, month, day), 'start'),
    endMs: zone.instantAt(Date.UTC(endYear, endMonth, endDay), 'start'),
  }
}

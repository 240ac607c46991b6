import { canonicalTimestamp } from '../../events/timestamp.js'
import type { TimeZone } from '../../queries/window/time-zone.js'

export const DATE_FORMATS = ['dmy', 'mdy', 'ymd'] as const

/** The order of day, month and year in dates that aren't written as RFC 3339 has them. */
export type DateFormat = (typeof DATE_FORMATS)[number]

/** How to read the times of a bill. */
export interface BillTimes {
  /** Undefined: dates and times are those of RFC 3339, `2026-11-22` or `2026-11-22T19:43:00Z`. */
  format: DateFormat | undefined
  /** The time zone by whose days the bill is compared. */
  timezone: TimeZone
  /**
   * Whether times without an offset are UTC. Otherwise they are times of that zone, as dates are
   * days of it.
   */
  isWrittenInUtc: boolean
}

const DAY_MS = 86_400_000

const DATE = /^(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:[Tt ]+(\d{2}:\d{2})(?::(\d{2})(\.\d+)?)?)?$/
/** How a date of RFC 3339 begins. */
const RFC_DATE = /^\d{4}-\d{2}-\d{2}(?!\d)/

/**
 * The day of a bill's line: `2026-11-22`.
 *
 * A date is a day as it is written, and so is a time without an offset, unless it is known to be
 * UTC. Any other time is an instant, whose day depends on the zone.
 *
 * @returns the day, or else what is wrong with the text.
 */
export function billDay(text: string, times: BillTimes): { day: string } | { problem: string } {
  const { format, timezone, isWrittenInUtc } = times
  const dayOf = (instant: string) => timezone.localText(Date.parse(instant)).slice(0, 10)
  const instant = canonicalTimestamp(text)
  if (instant !== null) return { day: dayOf(instant) }
  const match = format !== undefined || RFC_DATE.test(text) ? DATE.exec(text) : null
  const [, first, , second, third, time, seconds = '00', fraction = ''] = match ?? []
  const part = (letter: string) => [first, second, third][(format ?? 'ymd').indexOf(letter)] ?? ''
  const [year, month, day] = [part('y'), part('m'), part('d')]
  if (year.length !== 4 || month.length > 2 || day.length > 2) return { problem: problemOf(text, format) }
  const date = `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`
  const local = canonicalTimestamp(`${date}T${time ?? '00:00'}:${seconds}${fraction}Z`)
  if (local === null) return { problem: `found the date '${text}', and there is no such day or time` }
  return { day: time === undefined || !isWrittenInUtc ? date : dayOf(local) }
}

function problemOf(text: string, format: DateFormat | undefined): string {
  if (format !== undefined) {
    const words = { dmy: '22/11/2026', mdy: '11/22/2026', ymd: '2026/11/22' }
    return `found the date '${text}', expected one such as ${words[format]}, as the date format ${format} says`
  }
  const found = `found the date '${text}', expected 2026-11-22 or 2026-11-22T19:43:00Z`
  if (!DATE.test(text)) return found
  return `${found}; --date-format dmy, mdy or ymd says whether the day, the month or the year comes first`
}

/** The day a number of days after another one, whatever the zone. */
export function addDays(day: string, count: number): string {
  return new Date(Date.parse(`${day}T00:00:00.000Z`) + count * DAY_MS).toISOString().slice(0, 10)
}

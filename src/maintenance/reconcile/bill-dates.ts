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

const TIME = String.raw`(?:[Tt ]+(\d{2}:\d{2})(?::(\d{2})(\.\d+)?)?)?`
const RFC_DATE = new RegExp(String.raw`^(\d{4})-(\d{2})-(\d{2})${TIME}$`)
const OTHER_DATE = new RegExp(String.raw`^(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})${TIME}$`)

/**
 * The day of a bill's line: `2026-11-22`.
 *
 * A date is a day as it is written, and so is a time without an offset, unless it is known to be
 * UTC. Any other time is an instant, whose day depends on the zone.
 *
 * @returns the day, or else what is wrong with the text.
 */
export function billDay(text: string, times: BillTimes): { day: string } | { problem: string } {
  const instant = canonicalTimestamp(text)
  if (instant !== null) return { day: dayOf(instant, times.timezone) }
  const parts = times.format === undefined ? rfcParts(text) : formattedParts(text, times.format)
  if (parts === null) return { problem: problemOf(text, times.format) }
  const day = `${parts.year}-${parts.month.padStart(2, '0')}-${parts.day.padStart(2, '0')}`
  const { time = '00:00', second = '00', fraction = '' } = parts
  const local = canonicalTimestamp(`${day}T${time}:${second}${fraction}Z`)
  if (local === null) return { problem: `found the date '${text}', and there is no such day or time` }
  return { day: parts.time === undefined || !times.isWrittenInUtc ? day : dayOf(local, times.timezone) }
}

function dayOf(instant: string, timezone: TimeZone): string {
  return timezone.localText(Date.parse(instant)).slice(0, 10)
}

interface DateParts {
  year: string
  month: string
  day: string
  time?: string | undefined
  second?: string | undefined
  fraction?: string | undefined
}

function rfcParts(text: string): DateParts | null {
  const match = RFC_DATE.exec(text)
  if (match === null) return null
  const [, year = '', month = '', day = '', time, second, fraction] = match
  return { year, month, day, time, second, fraction }
}

function formattedParts(text: string, format: DateFormat): DateParts | null {
  const match = OTHER_DATE.exec(text)
  if (match === null) return null
  const [, first = '', , second = '', third = '', time, seconds, fraction] = match
  const found = [first, second, third]
  const part = (letter: string) => found[format.indexOf(letter)] ?? ''
  const parts = { year: part('y'), month: part('m'), day: part('d'), time, second: seconds, fraction }
  return parts.year.length === 4 && parts.month.length <= 2 && parts.day.length <= 2 ? parts : null
}

function problemOf(text: string, format: DateFormat | undefined): string {
  if (format !== undefined) {
    const words = { dmy: '22/11/2026', mdy: '11/22/2026', ymd: '2026/11/22' }
    return `found the date '${text}', expected one such as ${words[format]}, as the date format ${format} says`
  }
  const found = `found the date '${text}', expected 2026-11-22 or 2026-11-22T19:43:00Z`
  if (!OTHER_DATE.test(text)) return found
  return `${found}; --date-format dmy, mdy or ymd says whether the day, the month or the year comes first`
}

/** The day a number of days after another one, whatever the zone. */
export function addDays(day: string, count: number): string {
  return new Date(Date.parse(`${day}T00:00:00.000Z`) + count * DAY_MS).toISOString().slice(0, 10)
}

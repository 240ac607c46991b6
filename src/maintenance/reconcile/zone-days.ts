const DAY_MS = 86_400_000
/** No zone is further from UTC. */
const GREATEST_OFFSET_MS = 18 * 3_600_000

const formats = new Map<string, Intl.DateTimeFormat>()

/** The day of an instant in a time zone: `2026-11-22`. */
export function dayOf(instantMs: number, timezone: string): string {
  if (timezone === 'UTC') return new Date(instantMs).toISOString().slice(0, 10)
  let format = formats.get(timezone)
  if (format === undefined) {
    const numbers = { year: 'numeric', month: '2-digit', day: '2-digit' } as const
    format = new Intl.DateTimeFormat('en-US', { timeZone: timezone, calendar: 'iso8601', ...numbers })
    formats.set(timezone, format)
  }
  const parts = format.formatToParts(instantMs)
  const part = (type: string) => parts.find((found) => found.type === type)?.value ?? ''
  return `${part('year').padStart(4, '0')}-${part('month')}-${part('day')}`
}

/** The first instant of a day in a time zone, in milliseconds since 1970. */
export function startOfDay(day: string, timezone: string): number {
  const midnight = Date.parse(`${day}T00:00:00.000Z`)
  if (timezone === 'UTC') return midnight
  // A day may begin at one o'clock, when clocks go forward at midnight, so the first instant of
  // which the zone says that the day has come is looked for.
  let before = midnight - GREATEST_OFFSET_MS
  let after = midnight + GREATEST_OFFSET_MS
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (dayOf(middle, timezone) < day) before = middle
    else after = middle
  }
  return after
}

/** The day that many days after a day, whatever the zone. */
export function addDays(day: string, count: number): string {
  return new Date(Date.parse(`${day}T00:00:00.000Z`) + count * DAY_MS).toISOString().slice(0, 10)
}

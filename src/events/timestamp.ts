const RFC_3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/

/** `YYYY-MM-DDTHH:mm:ss.sssZ`: the one form that is stored. */
const CANONICAL_LENGTH = 24

/**
 * Reads a strict RFC 3339 timestamp (section 5.6: date, `T`, `t` or a space, time with seconds, any number of
 * fraction digits, `Z`, `z` or an offset) and gives the same instant in UTC with milliseconds; finer digits are cut,
 * so that no instant moves into the next second. A leap second (`23:59:60` in UTC) becomes the last millisecond
 * before it. Null for anything else: a date alone, a missing offset, an impossible day, a year that is outside
 * 0001 to 9999 in UTC.
 */
export function canonicalTimestamp(text: string): string | null {
  const match = RFC_3339.exec(text)
  if (match === null) return null
  const [, year, month, day, hour, minute, second, fraction, sign, offsetHour, offsetMinute] = match
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return null
  if (Number(month) < 1 || Number(month) > 12) return null
  if (Number(day) < 1 || Number(day) > daysInMonth(Number(year), Number(month))) return null
  if (Number(offsetHour ?? 0) > 23 || Number(offsetMinute ?? 0) > 59) return null

  const isLeapSecond = second === '60'
  const isCanonical =
    text.length === CANONICAL_LENGTH && text[10] === 'T' && text.endsWith('Z') && !isLeapSecond
  if (isCanonical && year !== '0000') return text

  // A four-digit ISO string, because Date.UTC takes the years 0 to 99 for 1900 to 1999.
  const local = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${isLeapSecond ? '59' : second}Z`)
  const offsetMs =
    (sign === '-' ? -1 : 1) * (Number(offsetHour ?? 0) * 60 + Number(offsetMinute ?? 0)) * 60_000
  const ms = isLeapSecond ? 999 : Number((fraction ?? '').slice(0, 3).padEnd(3, '0'))
  const utc = new Date(local - offsetMs + ms)
  if (isLeapSecond && !(utc.getUTCHours() === 23 && utc.getUTCMinutes() === 59)) return null
  const utcYear = utc.getUTCFullYear()
  return utcYear >= 1 && utcYear <= 9999 ? utc.toISOString() : null
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

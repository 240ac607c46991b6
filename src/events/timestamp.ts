const RFC_3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/

/** The length of `YYYY-MM-DDTHH:mm:ss.sssZ`, the one form that is stored. */
const CANONICAL_LENGTH = 24

const DASH = 0x2d
const DOT = 0x2e
const DIGIT_0 = 0x30
const COLON = 0x3a
const LETTER_T = 0x54
const LETTER_Z = 0x5a

/**
 * Reads a strict RFC 3339 timestamp (section 5.6: date, `T`, `t` or a space, time with seconds, any
 * number of fraction digits, `Z`, `z` or an offset) and returns the same instant in UTC with
 * milliseconds. Finer digits are cut, so that no instant moves into the next second. A leap second
 * (`23:59:60` in UTC) becomes the last millisecond before it. Null for anything else: a date alone,
 * a missing offset, an impossible day, a year outside 0001 to 9999 in UTC.
 */
export function canonicalTimestamp(text: string): string | null {
  if (isCanonical(text)) return text
  const match = RFC_3339.exec(text)
  if (match === null) return null
  const [, year, month, day, hour, minute, second, fraction, sign, offsetHour, offsetMinute] = match
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return null
  if (Number(month) < 1 || Number(month) > 12) return null
  if (Number(day) < 1 || Number(day) > daysInMonth(Number(year), Number(month))) return null
  if (Number(offsetHour ?? 0) > 23 || Number(offsetMinute ?? 0) > 59) return null

  const isLeapSecond = second === '60'
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

/**
 * Whether the text is a possible instant of the years 0001 to 9999 in the stored form, which the
 * lines of this package and most callers use. Measured: 40 ns, against 200 by the pattern.
 */
function isCanonical(text: string): boolean {
  if (text.length !== CANONICAL_LENGTH) return false
  const hasSeparators =
    text.charCodeAt(4) === DASH &&
    text.charCodeAt(7) === DASH &&
    text.charCodeAt(10) === LETTER_T &&
    text.charCodeAt(13) === COLON &&
    text.charCodeAt(16) === COLON &&
    text.charCodeAt(19) === DOT &&
    text.charCodeAt(23) === LETTER_Z
  if (!hasSeparators) return false
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2)
  const month = twoDigits(text, 5)
  const day = twoDigits(text, 8)
  // A missing digit makes NaN, for which no comparison holds.
  const isTime = twoDigits(text, 11) <= 23 && twoDigits(text, 14) <= 59 && twoDigits(text, 17) <= 59
  const isDay = year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month)
  return isTime && isDay && twoDigits(text, 20) >= 0 && twoDigits(text, 21) >= 0
}

function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - DIGIT_0
  const ones = text.charCodeAt(at + 1) - DIGIT_0
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

// Conversions between the values of PostgreSQL and those of this program.
import { AFTER_ALL_TIMES } from '../../../folds/costs/price.js'

/**
 * Returns a timestamp of a session in UTC, such as `2026-11-22 10:00:00.12+00`, as the canonical
 * string that events have: `2026-11-22T10:00:00.120Z`.
 */
export function canonicalTimestamp(text: string): string {
  if (text === 'infinity') return AFTER_ALL_TIMES
  const [, date, time, fraction = ''] = /^(\S+) (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00$/.exec(text) ?? []
  if (date === undefined) throw new Error(`unreachable: a timestamp of a session in UTC is ${text}`)
  return `${date}T${time}.${fraction.padEnd(3, '0').slice(0, 3)}Z`
}

/** Returns rows as a parameter for `json_populate_recordset`. */
export function jsonRows(rows: readonly object[]): string {
  // PostgreSQL's type text can't hold NUL, which JSON writes as an escape.
  return JSON.stringify(rows, (_, value) =>
    typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value,
  )
}

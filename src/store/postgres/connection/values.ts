import { AFTER_ALL_TIMES } from '../../../folds/costs/price-book.js'

/**
 * Returns a timestamp of a session in UTC, such as `2026-11-22 10:00:00.12+00`, as the canonical
 * text that events have: `2026-11-22T10:00:00.120Z`.
 */
export function canonicalTimestamp(text: string): string {
  if (text === 'infinity') return AFTER_ALL_TIMES
  const [, date, time, fraction = ''] = /^(\S+) (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00$/.exec(text) ?? []
  if (date === undefined) throw new Error(`unreachable: a timestamp of a session in UTC is ${text}`)
  return `${date}T${time}.${fraction.padEnd(3, '0').slice(0, 3)}Z`
}

/** A value of a row that is copied. */
export type CopyValue = string | number | boolean | null | Buffer

/** Returns a row in the text format of COPY, with its newline. */
export function copyLine(values: readonly CopyValue[]): string {
  let line = copyText(values[0] ?? null)
  for (let index = 1; index < values.length; index++) line += `\t${copyText(values[index] ?? null)}`
  return `${line}\n`
}

const SPECIAL = /[\\\t\n\r\0]/
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  // PostgreSQL's texts can't hold NUL.
  '\0': '\ufffd',
}

function copyText(value: CopyValue): string {
  if (value === null) return '\\N'
  if (typeof value === 'string') {
    return SPECIAL.test(value) ? value.replaceAll(/[\\\t\n\r\0]/g, (found) => ESCAPES[found] ?? found) : value
  }
  if (typeof value === 'boolean') return value ? 't' : 'f'
  if (typeof value === 'number') return String(value)
  return `\\\\x${value.toString('hex')}`
}

/** Returns rows as a parameter for `json_populate_recordset`. */
export function jsonRows(rows: readonly object[]): string {
  // PostgreSQL's texts can't hold NUL, which JSON writes as an escape.
  return JSON.stringify(rows, (_, value) =>
    typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value,
  )
}

/** Returns an integer of billionths as a decimal text. */
export function decimalOfBillionths(billionths: bigint): string {
  const size = billionths < 0n ? -billionths : billionths
  const text = `${size / 1_000_000_000n}.${String(size % 1_000_000_000n).padStart(9, '0')}`
  return billionths < 0n ? `-${text}` : text
}

import { element } from './dom.js'

const TYPES = { csv: 'text/csv', ndjson: 'application/x-ndjson' }

/** The characters with which a formula in a spreadsheet begins, in half or full width. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/

/**
 * Gives the user a file.
 *
 * @param {string} name
 * @param {keyof typeof TYPES} format
 * @param {string} text
 */
export function saveFile(name, format, text) {
  const link = element('a')
  link.href = URL.createObjectURL(new Blob([text], { type: TYPES[format] }))
  link.download = `${name}.${format}`
  link.click()
  // By then the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

/**
 * Formats rows as CSV, with the mark by which spreadsheets recognize UTF-8, and with cells escaped
 * that they would take for formulas.
 *
 * @param {readonly string[]} columns
 * @param {readonly Record<string, unknown>[]} rows
 */
export function csvOf(columns, rows) {
  const lines = rows.map((row) => columns.map((column) => cellOf(row[column])).join(','))
  return `\uFEFF${[columns.map(cellOf).join(','), ...lines].join('\r\n')}\r\n`
}

/** @param {unknown} value */
function cellOf(value) {
  if (value == null) return ''
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  const safe = typeof value === 'string' && FORMULA.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

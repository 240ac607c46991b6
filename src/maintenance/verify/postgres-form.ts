import type { Database } from '../../store/sqlite/connection/database.js'

/** The texts that may contain a NUL: names and labels can't. */
const TEXTS = [
  ['requests', 'error_message'],
  ['held_completions', 'error_message'],
  ['rejected_lines', 'detail'],
  ['rejected_lines', 'excerpt'],
] as const

const DECIMALS = [
  'input',
  'cache_read_input',
  'cache_creation_input',
  'cache_creation_1h_input',
  'audio_input',
  'image_input',
  'output',
  'reasoning_output',
  'audio_output',
  'per_request',
]

const COSTS = [
  ['rollups', ''],
  ['rollup_totals', ''],
  ['request_counters', ''],
  ['request_counters', 'corrected_'],
] as const

/**
 * Changes the expected rows to the form in which PostgreSQL stores them: it has no NUL in texts, no
 * order of labels, no needless zeros before a decimal, and a sum of costs is one number.
 *
 * @param expected the SQLite database that the journal was folded into.
 */
export function convertToPostgresForm(expected: Database): void {
  expected.function('without_nul', { deterministic: true }, (text) => String(text).replaceAll('\0', '\ufffd'))
  expected.function('sorted_labels', { deterministic: true }, (text) => sortedLabels(String(text)))
  const change = (table: string, column: string, sql: string) =>
    expected.exec(
      `UPDATE ${table} SET ${column} = ${sql} WHERE ${column} IS NOT NULL AND ${column} IS NOT ${sql}`,
    )
  for (const [table, column] of TEXTS) change(table, column, `without_nul(${column})`)
  for (const table of ['requests', 'rollup_dimensions']) change(table, 'labels', 'sorted_labels(labels)')
  for (const [table, columns] of [
    ['prices', DECIMALS],
    ['exchange_rates', ['usd_per_btc']],
  ] as const) {
    for (const column of columns) {
      change(
        table,
        column,
        `CASE WHEN ltrim(${column}, '0') GLOB '[1-9]*' THEN '' ELSE '0' END || ltrim(${column}, '0')`,
      )
    }
  }
  for (const [table, prefix] of COSTS) {
    for (const currency of ['sats', 'usd']) {
      joinCosts(expected, table, `${prefix}cost_${currency}`, `${prefix}cost_nano${currency}`)
    }
  }
}

/** Sorts labels by their names, since PostgreSQL stores them in an order of its own. */
export function sortedLabels(text: string): string {
  const labels = Object.entries(JSON.parse(text) as Record<string, unknown>)
  const sorted = labels.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(Object.fromEntries(sorted))
}

/** Carries billionths over, until both parts have one sign and the rest is less than one unit. */
function joinCosts(database: Database, table: string, whole: string, billionths: string): void {
  const billion = 1_000_000_000
  database.exec(`
    UPDATE ${table} SET ${whole} = ${whole} + ${billionths} / ${billion}, ${billionths} = ${billionths} % ${billion}
      WHERE ${billionths} NOT BETWEEN ${1 - billion} AND ${billion - 1};
    UPDATE ${table} SET ${whole} = ${whole} - sign(${whole}), ${billionths} = ${billionths} + sign(${whole}) * ${billion}
      WHERE sign(${whole}) * sign(${billionths}) < 0;
  `)
}

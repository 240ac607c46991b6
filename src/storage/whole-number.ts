/**
 * A number in a column as sums count it: whole, and not beyond what a number holds exactly. Ours are so; what another
 * program wrote may be anything, and counts as SQLite's CAST takes it. The same as {@link wholeNumberSql}.
 */
export function wholeNumber(value: unknown): number {
  // Of a text only the digits before anything else: '2e3x' is 2.
  const number = typeof value === 'number' ? value : Number.parseInt(String(value), 10)
  if (Number.isNaN(number)) return 0
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Math.trunc(number), Number.MAX_SAFE_INTEGER)) + 0
}

/** A column as an SQL expression; 0 for null. A thousand of the greatest still fit an SQL sum. */
export function wholeNumberSql(column: string): string {
  const limit = Number.MAX_SAFE_INTEGER
  return `max(-${limit}, min(${limit}, coalesce(CAST(${column} AS INTEGER), 0)))`
}

/**
 * What a request counts for at most in a sum, in either direction: far more than any has, and so little that nine million of
 * them still fit the 64 bits of a stored sum. Lists show values as they are.
 */
export const MAX_TOKENS = 1e12
export const MAX_COST_SATS = 1e12
/** About 50 days. */
export const MAX_LATENCY_MS = 2 ** 32 - 1

/**
 * A number in a column as sums count it: whole, and not beyond a limit. What another program wrote may be anything, and
 * counts as SQLite's CAST takes it. The same as {@link wholeNumberSql}.
 */
export function wholeNumber(value: unknown, limit: number): number {
  // Of a text only the digits before anything else: '2e3x' is 2.
  const number = typeof value === 'number' ? value : Number.parseInt(String(value), 10)
  if (Number.isNaN(number)) return 0
  return Math.max(-limit, Math.min(Math.trunc(number), limit)) + 0
}

/** A column as an SQL expression; 0 for null. */
export function wholeNumberSql(column: string, limit: number): string {
  return `max(-${limit}, min(${limit}, coalesce(CAST(${column} AS INTEGER), 0)))`
}

/**
 * The most that a request counts in a sum, in either direction. It is far more than any request
 * has, and small enough that nine million requests still fit into the 64 bits of a stored sum.
 * Lists show values as they are.
 */
export const MAX_TOKENS = 1e12
/** In satoshis, and in dollars. */
export const MAX_COST = 1e12
/** About 50 days. */
export const MAX_LATENCY_MS = 2 ** 32 - 1

/**
 * Returns a column's number as it counts in sums: whole, and not beyond a limit. A value that
 * another program has written may be anything, and counts as SQLite's CAST converts it.
 * The dialect's `wholeNumber` is the same in SQL.
 */
export function wholeNumber(value: unknown, limit: number): number {
  // Only the digits at a text's beginning count: '2e3x' is 2.
  const number = typeof value === 'number' ? value : Number.parseInt(String(value), 10)
  if (Number.isNaN(number)) return 0
  // Adding 0 turns -0 into 0.
  return Math.max(-limit, Math.min(Math.trunc(number), limit)) + 0
}

/** Returns a number of tokens as it counts in sums. */
export function limitedTokens(tokens: number): number {
  return tokens > MAX_TOKENS ? MAX_TOKENS : tokens
}

/** Returns a latency as it counts in sums. */
export function limitedLatency(latencyMs: number): number {
  return latencyMs > MAX_LATENCY_MS ? MAX_LATENCY_MS : latencyMs
}

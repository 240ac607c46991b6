import type { RequestOutcome } from './request-types.js'

/**
 * The most that a request counts for in a sum, in either direction: far more than any request has,
 * and so little that nine million of them still fit the 64 bits of a stored sum. Lists show values
 * as they are.
 */
export const MAX_TOKENS = 1e12
export const MAX_COST_SATS = 1e12
/** About 50 days. */
export const MAX_LATENCY_MS = 2 ** 32 - 1

/**
 * Returns a number of a column as sums count it: whole, and not beyond a limit. A value that
 * another program has written may be anything, and counts as SQLite's CAST takes it;
 * `wholeNumberSql` is the twin.
 */
export function wholeNumber(value: unknown, limit: number): number {
  // Only the digits at a text's beginning count: '2e3x' is 2.
  const number = typeof value === 'number' ? value : Number.parseInt(String(value), 10)
  if (Number.isNaN(number)) return 0
  return Math.max(-limit, Math.min(Math.trunc(number), limit)) + 0
}

/** Returns a request as sums count it: unchanged, unless its values are absurd. */
export function withinLimits<Counted extends RequestOutcome & { latency_ms?: number }>(
  request: Counted,
): Counted {
  const { input_tokens, output_tokens, latency_ms = 0 } = request
  const isWithin = (input_tokens ?? 0) <= MAX_TOKENS && (output_tokens ?? 0) <= MAX_TOKENS
  if (isWithin && latency_ms <= MAX_LATENCY_MS) return request
  return {
    ...request,
    input_tokens: input_tokens === null ? null : Math.min(input_tokens, MAX_TOKENS),
    output_tokens: output_tokens === null ? null : Math.min(output_tokens, MAX_TOKENS),
    ...('latency_ms' in request ? { latency_ms: Math.min(latency_ms, MAX_LATENCY_MS) } : {}),
  }
}

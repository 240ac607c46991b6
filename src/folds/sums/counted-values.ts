// How the values of one request are counted in sums.
import type { Costs, CountedRequest, RequestOutcome } from '../stored-request.js'

/**
 * The most that one request can add to a sum, or take from it. It is far more than any request has,
 * and small enough that nine million requests still fit into the 64 bits of a stored sum. Lists
 * show values as they are.
 */
export const MAX_TOKENS = 1e12
/** In satoshis, and in dollars. */
export const MAX_COST = 1e12
/** About 50 days. */
export const MAX_LATENCY_MS = 2 ** 32 - 1

/**
 * Returns a column's number as it is counted in sums: whole, and not beyond a limit. A value that
 * another program has written may be anything, and is counted as SQLite's CAST converts it. SQL's
 * twin is the dialect's `wholeNumber`.
 */
export function wholeNumber(value: unknown, limit: number): number {
  // Only the digits at a string's beginning count: '2e3x' is 2.
  const number = typeof value === 'number' ? value : Number.parseInt(String(value), 10)
  if (Number.isNaN(number)) return 0
  // Adding 0 turns -0 into 0.
  return Math.max(-limit, Math.min(Math.trunc(number), limit)) + 0
}

/** The token counts that are summed. */
export const TOKENS = [
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'reasoning_output_tokens',
] as const satisfies readonly (keyof RequestOutcome)[]

/** Returns a number of tokens as it is counted in sums. */
export function limitedTokens(tokens: number): number {
  return tokens > MAX_TOKENS ? MAX_TOKENS : tokens
}

/** Returns a latency as it is counted in sums. */
export function limitedLatency(latencyMs: number): number {
  return latencyMs > MAX_LATENCY_MS ? MAX_LATENCY_MS : latencyMs
}

const BILLION = 1_000_000_000

/**
 * A cost as roll-ups sum it, in integers, so that the same requests have the same sum, in whatever
 * order they came and whether or not they were corrected.
 */
export interface SplitCost {
  /** Whole satoshis or dollars, cut toward zero. */
  whole: number
  /** The rest in billionths, rounded; of the same sign. */
  billionths: number
}

/** The costs of a request in both currencies. Null: unknown. */
export interface SplitCosts {
  sats: SplitCost | null
  usd: SplitCost | null
}

export function splitCosts({ cost_sats, cost_usd }: Costs): SplitCosts {
  return {
    sats: cost_sats === null ? null : splitCost(cost_sats),
    usd: cost_usd === null ? null : splitCost(cost_usd),
  }
}

/** A cost in billionths, as exactly as roll-ups sum it. */
export function billionthsOf(cost: number): bigint {
  const { whole, billionths } = splitCost(cost)
  return BigInt(whole) * BigInt(BILLION) + BigInt(billionths)
}

/** Splits a cost. SQL's twins are the dialect's `wholeCost` and `costBillionths`. */
export function splitCost(cost: number): SplitCost {
  const limited = Math.max(-MAX_COST, Math.min(cost, MAX_COST))
  const whole = Math.trunc(limited)
  const rest = (limited - whole) * BILLION
  // SQLite rounds half away from zero; Math.round would round half up. Adding 0 turns -0 into 0.
  return { whole: whole + 0, billionths: Math.trunc(rest + (rest < 0 ? -0.5 : 0.5)) + 0 }
}

/**
 * Which token counts are included in which: each token count, followed by the count that includes
 * it and, for when that one is unknown, the total that includes both.
 */
export const PARTS_OF_TOKENS = [
  ['cache_read_input_tokens', 'input_tokens'],
  ['cache_creation_input_tokens', 'input_tokens'],
  ['cache_creation_1h_input_tokens', 'cache_creation_input_tokens', 'input_tokens'],
  ['audio_input_tokens', 'input_tokens'],
  ['image_input_tokens', 'input_tokens'],
  ['reasoning_output_tokens', 'output_tokens'],
  ['audio_output_tokens', 'output_tokens'],
] as const satisfies readonly (keyof RequestOutcome)[][]

/** The token counts that decide whether a request is inconsistent. */
export type Tokens = Pick<RequestOutcome, (typeof PARTS_OF_TOKENS)[number][number]>

/**
 * Whether a part of a request's tokens is larger than the whole. SQL's twin is INCONSISTENT_SQL.
 * It is written out rather than a loop, because it runs for every request, and hardly any request
 * has parts.
 */
export function isInconsistent(tokens: Tokens): boolean {
  const { input_tokens: input, output_tokens: output, cache_creation_input_tokens: creation } = tokens
  return (
    isMore(tokens.cache_read_input_tokens, input) ||
    isMore(creation, input) ||
    isMore(tokens.cache_creation_1h_input_tokens, creation ?? input) ||
    isMore(tokens.audio_input_tokens, input) ||
    isMore(tokens.image_input_tokens, input) ||
    isMore(tokens.reasoning_output_tokens, output) ||
    isMore(tokens.audio_output_tokens, output)
  )
}

function isMore(part: number | null | undefined, whole: number | null): boolean {
  return part !== undefined && part !== null && whole !== null && part > whole
}

/** Whether a request is known not to be the first attempt. */
export function isRetry({ attempt }: Pick<CountedRequest, 'attempt'>): boolean {
  return attempt !== undefined && attempt !== null && attempt > 0
}

/** The values that decide whether a stream has ended. */
type StreamEnd = Pick<
  CountedRequest,
  'streaming' | 'success' | 'input_tokens' | 'output_tokens' | 'stream_duration_ms' | 'isCompleted'
>

/**
 * Whether a request is a stream without an end: no completion has changed it, it didn't fail, and
 * it wasn't logged whole, with its tokens or its duration. By contrast, what `requestOf` calls an
 * open stream may have failed or been logged whole. SQL's twin is the dialect's `isUnended`.
 */
export function isUnended(request: StreamEnd): boolean {
  return (
    request.streaming &&
    request.success &&
    request.isCompleted !== true &&
    request.input_tokens === null &&
    request.output_tokens === null &&
    (request.stream_duration_ms ?? null) === null
  )
}

/** How long a stream without an end may go on before it counts as unfinished, in milliseconds. */
const OPEN_FOR_MS = 3_600_000

/**
 * Returns the timestamp up to which streams without an end are unfinished.
 *
 * @param now milliseconds since 1970.
 */
export function unfinishedUntil(now: number): string {
  return new Date(now - OPEN_FOR_MS).toISOString()
}

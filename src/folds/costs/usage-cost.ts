import type { PricePart } from '../../events/event-types.js'
import type { Price, PricedPart } from './price.js'

/** The tokens of a request by which prices are multiplied, as events give them. */
export interface Usage {
  success: boolean
  input_tokens: number | null
  output_tokens: number | null
  cache_read_input_tokens?: number | null
  cache_creation_input_tokens?: number | null
  cache_creation_1h_input_tokens?: number | null
  audio_input_tokens?: number | null
  image_input_tokens?: number | null
  reasoning_output_tokens?: number | null
  audio_output_tokens?: number | null
}

/** Tokens that are priced alike. */
export interface PricedTokens {
  part: PricePart
  /** Tokens of a part without a price of its own are counted under the whole. */
  tokens: number
  /** What one of them costs, in trillionths of the currency's unit. */
  perToken: bigint
}

/** Why usage has no cost, although a price is in force. */
export type UsageProblem = 'failed_without_usage' | 'unknown_tokens' | 'inconsistent_tokens'

/**
 * Multiplies usage by a price.
 *
 * @returns the cost in trillionths of the currency's unit; null if there is a {@link UsageProblem}.
 */
export function usageCost(price: Price, usage: Usage): bigint | null {
  const priced = pricedTokens(price, usage)
  if (typeof priced === 'string') return null
  let cost = price.perRequest
  for (const { tokens, perToken } of priced) cost += BigInt(tokens) * perToken
  return cost
}

/**
 * Returns which tokens cost what. A token costs what its part costs or, if the part has no price of
 * its own, what the whole costs. Parts without tokens are left out.
 */
export function pricedTokens(price: Price, usage: Usage): PricedTokens[] | UsageProblem {
  const { success, input_tokens, output_tokens } = usage
  // Nothing suggests that a failure without usage was billed.
  if (!success && input_tokens === null && output_tokens === null) return 'failed_without_usage'
  const { cache_creation_input_tokens: creation, cache_creation_1h_input_tokens: oneHour } = usage
  // The tokens cached for an hour are a part of those written to the cache.
  if ((creation ?? null) !== null && (oneHour ?? 0) > (creation ?? 0)) return 'inconsistent_tokens'
  const priced: PricedTokens[] = []
  const input = addPriced(priced, 'input', input_tokens, price, usage)
  const output = addPriced(priced, 'output', output_tokens, price, usage)
  return input ?? output ?? priced
}

/** Adds the input or the output tokens, parts of which may have prices of their own. */
function addPriced(
  priced: PricedTokens[],
  whole: 'input' | 'output',
  tokens: number | null,
  price: Price,
  usage: Usage,
): UsageProblem | null {
  const perToken = price.perToken[whole]
  const parts = price.parts[whole]
  if (perToken === undefined && parts.length === 0) return null
  if (tokens === null) return 'unknown_tokens'
  let rest = tokens
  for (const part of parts) rest -= tokensOf(part, usage)
  if (rest < 0) return 'inconsistent_tokens'
  if (rest > 0) priced.push({ part: whole, tokens: rest, perToken: perToken ?? 0n })
  for (const part of parts) {
    const partTokens = tokensOf(part, usage)
    if (partTokens !== 0) priced.push({ part: part.part, tokens: partTokens, perToken: part.perToken })
  }
  return null
}

/**
 * How many tokens of a part a request has. Each token is counted in one part only: tokens cached
 * for an hour aren't counted among those written to the cache.
 */
function tokensOf({ column }: PricedPart, usage: Usage): number {
  if (column !== 'cache_creation_input_tokens') return usage[column] ?? 0
  const oneHour = usage.cache_creation_1h_input_tokens ?? 0
  return (usage.cache_creation_input_tokens ?? oneHour) - oneHour
}

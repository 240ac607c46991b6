import type { PricePart } from '../../events/event-types.js'
import type { Price } from './price-book.js'

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
  /** Those without a price of their own count for the whole. */
  tokens: number
  /** What one of them costs, in millionths of a millionth of the currency's unit. */
  perToken: bigint
}

/** Why usage has no cost, although a price is in force. */
export type UsageProblem = 'failed_without_usage' | 'unknown_tokens' | 'inconsistent_tokens'

/**
 * Multiplies usage by a price.
 *
 * @returns in millionths of millionths of the currency's unit; null if there is a
 *   {@link UsageProblem}.
 */
export function usageCost(price: Price, usage: Usage): bigint | null {
  const priced = pricedTokens(price, usage)
  if (typeof priced === 'string') return null
  let cost = price.perRequest
  for (const { tokens, perToken } of priced) cost += BigInt(tokens) * perToken
  return cost
}

/**
 * Tells which tokens cost what. Each costs what its part costs, and a part without a price of its
 * own what its whole costs. Parts without tokens are left out.
 */
export function pricedTokens({ perToken }: Price, usage: Usage): PricedTokens[] | UsageProblem {
  const { success, input_tokens, output_tokens } = usage
  // Nobody says that a failure without usage was billed.
  if (!success && input_tokens === null && output_tokens === null) return 'failed_without_usage'
  const oneHour = usage.cache_creation_1h_input_tokens ?? 0
  const creation = usage.cache_creation_input_tokens ?? oneHour
  if (oneHour > creation) return 'inconsistent_tokens'
  const priced: PricedTokens[] = []
  const input = addPriced(priced, 'input', input_tokens, perToken.input, [
    ['cache_read_input', usage.cache_read_input_tokens, perToken.cache_read_input],
    ['cache_creation_input', creation - oneHour, perToken.cache_creation_input],
    ['cache_creation_1h_input', oneHour, perToken.cache_creation_1h_input ?? perToken.cache_creation_input],
    ['audio_input', usage.audio_input_tokens, perToken.audio_input],
    ['image_input', usage.image_input_tokens, perToken.image_input],
  ])
  const output = addPriced(priced, 'output', output_tokens, perToken.output, [
    ['reasoning_output', usage.reasoning_output_tokens, perToken.reasoning_output],
    ['audio_output', usage.audio_output_tokens, perToken.audio_output],
  ])
  return input ?? output ?? priced
}

type Part = readonly [part: PricePart, tokens: number | null | undefined, price: bigint | undefined]

/** Adds all tokens of a kind, of which parts have prices of their own. */
function addPriced(
  priced: PricedTokens[],
  whole: 'input' | 'output',
  tokens: number | null,
  price: bigint | undefined,
  parts: readonly Part[],
): UsageProblem | null {
  if (price === undefined && parts.every(([, , ofPart]) => ofPart === undefined)) return null
  if (tokens === null) return 'unknown_tokens'
  const first = priced.length
  let rest = tokens
  for (const [part, count, perToken] of parts) {
    if (perToken === undefined || count == null || count === 0) continue
    rest -= count
    priced.push({ part, tokens: count, perToken })
  }
  if (rest < 0) return 'inconsistent_tokens'
  if (rest > 0) priced.splice(first, 0, { part: whole, tokens: rest, perToken: price ?? 0n })
  return null
}

import type { PriceSet } from '../../events/event-types.js'
import { formatCount } from '../output/format.js'

type Terms = Pick<PriceSet, 'provider' | 'model' | 'service_tier' | 'min_input_tokens'>

/** `gpt-4o (openai, flex, from 200,001 tokens)` */
export function keyText({ provider, model, service_tier, min_input_tokens }: Terms): string {
  const tokens = min_input_tokens === null ? [] : [`from ${formatCount(min_input_tokens)} tokens`]
  const terms = [provider ?? 'any provider', ...(service_tier === null ? [] : [service_tier]), ...tokens]
  return `${model} (${terms.join(', ')})`
}

/** `usd: input 2.5, output 10` */
export function figuresText({
  currency,
  per_million,
  per_request,
}: Pick<PriceSet, 'currency' | 'per_million' | 'per_request'>): string {
  const parts = Object.entries(per_million ?? {}).map(([part, price]) => `${part} ${price}`)
  if (per_request !== null) parts.push(`request ${per_request}`)
  return parts.length === 0 ? 'withdrawn' : `${currency}: ${parts.join(', ')}`
}

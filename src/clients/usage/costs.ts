import type { Answer, Usage } from './observation.js'
import { amount, object } from './values.js'
import type { Scanned, ScannedObject, Wanted } from './wanted-members.js'

/** The members of a `usage` that report costs. */
export const COST_MEMBERS = {
  // OpenRouter: dollars that were charged. If the client brings its own key (BYOK), they are only
  // OpenRouter's fee (openrouter.ai/docs, "Usage Accounting"). Routstr has an object here
  // (routstr-core, upstream/base.py), and so has Perplexity (docs.perplexity.ai, "Chat
  // Completions").
  cost: { total_msats: true, total_usd: true, total_cost: true },
  is_byok: true,
  cost_details: { upstream_inference_cost: true },
  // xAI: 10^10 ticks are a dollar (docs.x.ai, "Cost Tracking"). On Vertex AI they are 0, whatever
  // the request costs (docs.cloud.google.com, "Grok: Reasoning").
  cost_in_usd_ticks: true,
  // Routstr: satoshis, rounded down.
  cost_sats: true,
} satisfies Wanted

type Costs = Pick<Usage, 'provider_cost_usd' | 'provider_cost_sats'>

const TICKS_PER_USD = 1e10

export function readCosts(usage: ScannedObject): Costs {
  const cost = object(usage['cost'])
  const ticks = amount(usage['cost_in_usd_ticks'])
  return {
    provider_cost_usd:
      chargedUsd(usage) ??
      amount(cost['total_usd']) ??
      amount(cost['total_cost']) ??
      (ticks === null || ticks === 0 ? null : ticks / TICKS_PER_USD),
    provider_cost_sats: satsOf(cost['total_msats']) ?? amount(usage['cost_sats']),
  }
}

function chargedUsd(usage: ScannedObject): number | null {
  const charged = amount(usage['cost'])
  if (charged === null || usage['is_byok'] !== true) return charged
  // If the upstream's cost isn't known, neither is the whole: the fee is only a part of it.
  const upstream = amount(object(usage['cost_details'])['upstream_inference_cost'])
  return upstream === null ? null : charged + upstream
}

/**
 * Reads the costs that an answer's headers report: arbstr's `x-arbstr-cost-sats` (arbstr,
 * proxy/handlers.rs) and routstr's `x-routstr-cost-msats` and `-usd` (routstr-core,
 * upstream/base.py).
 */
export function readCostHeaders(header: Answer['header']): Costs {
  const number = (name: string) => numberOf(header(name))
  return {
    provider_cost_usd: amount(number('x-routstr-cost-usd')),
    provider_cost_sats: satsOf(number('x-routstr-cost-msats')) ?? amount(number('x-arbstr-cost-sats')),
  }
}

function satsOf(msats: Scanned | undefined): number | null {
  const value = amount(msats)
  return value === null ? null : value / 1000
}

function numberOf(value: string | null): number | null {
  return value !== null && /^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(value.trim()) ? Number(value) : null
}

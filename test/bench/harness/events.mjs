import { Random } from './random.mjs'

export const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

/**
 * With the price of tokens, in and out: of a thousand in sats, for the costs that are logged, or of a million in dollars.
 */
const MODELS = /** @type {const} */ ([
  ['gpt-4o', 2.5, 10],
  ['gpt-4o-mini', 0.15, 0.6],
  ['claude-sonnet-4-5', 3, 15],
  ['claude-haiku-4-5', 1, 5],
  ['gemini-2.5-flash', 0.3, 2.5],
  ['llama-3.3-70b', 0.6, 0.7],
])
const PROVIDERS = ['openrouter', 'azure-east', 'bedrock-eu']
const POLICIES = ['cheapest', 'fastest', 'balanced']
const TIERS = ['free', 'pro', 'enterprise']
const TEAMS = ['search', 'support', 'research', 'billing']

/**
 * Requests as a gateway would log them: random UUIDs, six models, three providers and policies, labels on two in five,
 * 2 % failures, evenly spread over the time. The same seed gives the same events.
 *
 * @param {{ events: number, seed: number, fromMs: number, toMs: number }} options
 */
export function* generateEvents({ events, seed, fromMs, toMs }) {
  const random = new Random(seed)
  const stepMs = (toMs - fromMs) / events
  for (let index = 0; index < events; index++) {
    yield generateEvent(random, new Date(Math.floor(fromMs + index * stepMs)).toISOString())
  }
}

/**
 * @param {Random} random
 * @param {string} timestamp
 */
export function generateEvent(random, timestamp) {
  const [model, inputPrice, outputPrice] = random.pick(MODELS)
  const isSuccess = random.fraction() >= 0.02
  const inputTokens = 1 + Math.floor(4000 * random.fraction() ** 3)
  const outputTokens = 1 + Math.floor(1200 * random.fraction() ** 2)
  const costSats = toMillisatoshis((inputTokens * inputPrice + outputTokens * outputPrice) / 1000)
  return {
    correlation_id: random.uuid(),
    timestamp,
    model,
    provider: random.pick(PROVIDERS),
    policy: random.pick(POLICIES),
    streaming: random.fraction() < 0.6,
    input_tokens: isSuccess ? inputTokens : null,
    output_tokens: isSuccess ? outputTokens : null,
    cost_sats: isSuccess ? costSats : null,
    provider_cost_sats: isSuccess && random.fraction() < 0.8 ? toMillisatoshis(costSats * 0.9) : null,
    latency_ms: 80 + outputTokens * random.between(5, 20),
    success: isSuccess,
    error_status: isSuccess ? null : random.pick([429, 500, 502, 503]),
    error_message: isSuccess ? null : 'upstream connect error',
    ...(random.fraction() < 0.4 ? { labels: { tier: random.pick(TIERS), team: random.pick(TEAMS) } } : {}),
  }
}

/**
 * A `price_set` of each model, without its type.
 *
 * @param {{ fromMs: number, factor: number }} options
 */
export function pricesOf({ fromMs, factor }) {
  return MODELS.map(([model, input, output]) => ({
    provider: null,
    model,
    valid_from: new Date(fromMs).toISOString(),
    currency: 'usd',
    per_million: {
      input: (factor * input).toFixed(6),
      cache_read_input: (factor * 0.1 * input).toFixed(6),
      output: (factor * output).toFixed(6),
    },
    per_request: null,
    service_tier: null,
    min_input_tokens: null,
    source: 'bench',
  }))
}

/**
 * An `exchange_rate_observed` of each hour, without its type.
 *
 * @param {{ fromMs: number, toMs: number }} options
 */
export function* hourlyRates({ fromMs, toMs }) {
  for (let hour = 0; fromMs + hour * HOUR_MS < toMs; hour++) {
    const observed_at = new Date(fromMs + hour * HOUR_MS).toISOString()
    yield { observed_at, usd_per_btc: (90_000 + hour).toFixed(2), source: 'bench' }
  }
}

/** @param {number} sats */
function toMillisatoshis(sats) {
  return Math.round(sats * 1000) / 1000
}

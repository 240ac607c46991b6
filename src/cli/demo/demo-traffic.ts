import type { PriceInput, RateInput } from '../../events/event-types.js'

/** A model of the demo's provider. */
export type DemoModel = ReturnType<typeof demoModel>

/** The models of all requests. */
const MODELS = (
  [
    ['gpt-4o', 'openai', 'quality', 'frontier', 0.24, 78, '2.5', '1.25', '10'],
    ['gpt-4o-mini', 'openai', 'cheap', 'standard', 0.27, 41, '0.15', '0.075', '0.6'],
    ['claude-sonnet-4', 'anthropic', 'quality', 'frontier', 0.2, 92, '3', '0.3', '15'],
    ['mistral-small', 'mistral', 'cheap', 'standard', 0.14, 35, '0.1', null, '0.3'],
    ['llama-3.3-70b', 'vllm', 'local', 'local', 0.15, 64, '0', null, '0'],
  ] as const
).map(demoModel)

/**
 * Their shares of all requests add up to 1. `medianMs` is that of the time to the first byte: a
 * tenth of what real models take. Prices are in dollars for a million tokens; a model without a
 * price of tokens from a cache has no cache.
 */
type ModelRow = readonly [
  model: string,
  provider: string,
  policy: string,
  tier: string,
  share: number,
  medianMs: number,
  input: string,
  cacheReadInput: string | null,
  output: string,
]

export function demoModel(row: ModelRow) {
  const [model, provider, policy, tier, share, medianMs, input, cacheReadInput, output] = row
  return { model, provider, policy, tier, share, medianMs, input, cacheReadInput, output }
}

const USD_PER_BTC = '67000'
const HOUR_MS = 3_600_000

/** How an attempt is answered that fails. */
export interface DemoFailure {
  status: number
  message: string
  /** Whether the next attempt succeeds. */
  isTemporary: boolean
}

const FAILURES: readonly DemoFailure[] = [
  { status: 429, message: 'rate limit reached, retry later', isTemporary: true },
  { status: 503, message: 'the model is overloaded', isTemporary: true },
  { status: 504, message: 'upstream timed out after 60 s', isTemporary: false },
  { status: 400, message: 'context length exceeded', isTemporary: false },
]

const FAILURE_SHARE = 0.05
const BROKEN_SHARE = 0.02
const STREAM_SHARE = 0.35
const CHUNK_MS = 8
const TEAMS = ['search', 'support', 'research', 'billing']

/** One request of the demo: what the client asks for, and how the upstream answers. */
export interface DemoRequest {
  model: DemoModel
  streaming: boolean
  labels: { team: string; user: string; tier: string }
  failure: DemoFailure | null
  /** Whether the stream breaks off. */
  isBroken: boolean
  /** The time to the first byte. */
  delayMs: number
  /** The time between two chunks of a stream. */
  chunkMs: number
  inputTokens: number
  cachedTokens: number
  outputTokens: number
}

/**
 * The prices that the demo begins with: what each model costs in dollars, and the exchange rate of
 * this hour, from which the costs in satoshis follow.
 */
export function demoPrices(now: number): (PriceInput | RateInput)[] {
  const hour = new Date(now - (now % HOUR_MS)).toISOString()
  const prices = MODELS.map(
    ({ model, provider, input, cacheReadInput, output }): PriceInput => ({
      type: 'price_set',
      provider,
      model,
      valid_from: hour,
      currency: 'usd',
      per_million: { input, cache_read_input: cacheReadInput ?? undefined, output },
      source: 'demo',
    }),
  )
  const rate = { observed_at: hour, usd_per_btc: USD_PER_BTC, source: 'demo' }
  return [...prices, { type: 'exchange_rate_observed', ...rate }]
}

/** Makes up a request, always the same for an index. */
export function demoRequest(index: number): DemoRequest {
  const random = seededRandom(SEED + index)
  const model = pickModel(random)
  const failure = random() < FAILURE_SHARE ? FAILURES[Math.floor(random() * FAILURES.length)] : undefined
  const inputTokens = Math.round(80 + 4000 * random() ** 3)
  const streaming = random() < STREAM_SHARE
  return {
    model,
    streaming,
    labels: {
      team: TEAMS[Math.floor(random() * TEAMS.length)] ?? 'search',
      user: `user-${Math.floor(random() * 40)}`,
      tier: model.tier,
    },
    failure: failure ?? null,
    isBroken: streaming && random() < BROKEN_SHARE,
    delayMs: model.medianMs * Math.exp(0.9 * (random() + random() - 1)),
    chunkMs: CHUNK_MS,
    inputTokens,
    cachedTokens: model.cacheReadInput === null ? 0 : cachedOf(inputTokens, random),
    outputTokens: Math.round(20 + 900 * random() ** 2),
  }
}

const SEED = 20261122

/** In every third request, more than half of the input tokens come from a cache. */
function cachedOf(inputTokens: number, random: () => number): number {
  const share = random() < 1 / 3 ? 0.5 + 0.4 * random() : 0
  return Math.floor(inputTokens * share)
}

function pickModel(random: () => number): DemoModel {
  let rest = random()
  for (const model of MODELS) {
    rest -= model.share
    if (rest < 0) return model
  }
  return MODELS[0] as DemoModel
}

/** mulberry32: small, and good enough for made-up traffic. */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

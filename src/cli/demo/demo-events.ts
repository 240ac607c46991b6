import type { PriceInput, RateInput, RequestLog, StreamCompletion } from '../../events/event-types.js'

interface DemoModel {
  model: string
  provider: string
  policy: string
  tier: string
  /** Its part of all requests; all parts add up to 1. */
  share: number
  /** The median of its latency, of a stream to the first byte. */
  medianMs: number
  /** What a million tokens cost in dollars. */
  input: string
  /** Null: the model has no cache. */
  cacheReadInput: string | null
  output: string
}

/** The models, each with the members of {@link DemoModel} in their order. */
const MODELS = (
  [
    ['gpt-4o', 'openai', 'quality', 'frontier', 0.24, 780, '2.5', '1.25', '10'],
    ['gpt-4o-mini', 'openai', 'cheap', 'standard', 0.27, 410, '0.15', '0.075', '0.6'],
    ['claude-sonnet-4', 'anthropic', 'quality', 'frontier', 0.2, 920, '3', '0.3', '15'],
    ['mistral-small', 'mistral', 'cheap', 'standard', 0.14, 350, '0.1', null, '0.3'],
    ['llama-3.3-70b', 'vllm', 'local', 'local', 0.15, 640, '0', null, '0'],
  ] as const
).map(
  ([model, provider, policy, tier, share, medianMs, input, cacheReadInput, output]): DemoModel => ({
    model,
    provider,
    policy,
    tier,
    share,
    medianMs,
    input,
    cacheReadInput,
    output,
  }),
)

const USD_PER_BTC = '67000'
const HOUR_MS = 3_600_000

const FAILURES: readonly { status: number; message: string; hasProvider: boolean }[] = [
  { status: 429, message: 'rate limit reached, retry after 20 s', hasProvider: true },
  { status: 502, message: 'upstream closed the connection', hasProvider: true },
  { status: 504, message: 'upstream timed out after 60 s', hasProvider: true },
  { status: 400, message: 'context length exceeded', hasProvider: true },
  { status: 402, message: 'no balance left', hasProvider: false },
]

const FAILURE_SHARE = 0.05
const STREAM_SHARE = 0.25
const TEAMS = ['search', 'support', 'research', 'billing']

/** How many events lie between a stream's beginning and its end. */
const STREAM_LENGTH = 60

/**
 * The starting book: what each model costs in dollars, and the exchange rate of this hour, from
 * which the costs in satoshis follow.
 */
export function demoBook(now: number): (PriceInput | RateInput)[] {
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

/**
 * Makes up a gateway's traffic: the same events in the same order for the same seed. The journal
 * adds timestamps.
 */
export function* demoEvents(count: number, seed: number): Generator<RequestLog | StreamCompletion> {
  const random = seededRandom(seed)
  const running: { endsAt: number; completion: StreamCompletion }[] = []
  for (let i = 0; i < count; i++) {
    // The last events end the streams that still run.
    const [oldest] = running
    if (oldest !== undefined && (oldest.endsAt <= i || count - i <= running.length)) {
      running.shift()
      yield oldest.completion
      continue
    }
    const model = pick(random)
    const request = requestOf(model, random)
    yield request
    if (!request.streaming || !request.success || count - i <= running.length + 1) continue
    running.push({ endsAt: i + STREAM_LENGTH, completion: completionOf(request, model, random) })
  }
}

function requestOf(model: DemoModel, random: () => number): RequestLog & { correlation_id: string } {
  const failure = random() < FAILURE_SHARE ? FAILURES[Math.floor(random() * FAILURES.length)] : undefined
  const streaming = random() < STREAM_SHARE
  const input = Math.round(80 + 4000 * random() ** 3)
  const output = Math.round(20 + 900 * random() ** 2)
  // A stream is logged when it begins: its output isn't known yet.
  const isKnown = failure === undefined && !streaming
  return {
    type: 'request_logged',
    correlation_id: uuid(random),
    model: model.model,
    provider: failure?.hasProvider === false ? null : model.provider,
    policy: model.policy,
    streaming,
    input_tokens: failure === undefined ? input : null,
    output_tokens: isKnown ? output : null,
    ...(isKnown ? cacheReadOf(model, input, random) : {}),
    latency_ms: Math.round(model.medianMs * Math.exp(0.9 * (random() + random() - 1))),
    success: failure === undefined,
    error_status: failure?.status ?? null,
    error_message: failure?.message ?? null,
    labels: {
      team: TEAMS[Math.floor(random() * TEAMS.length)] ?? 'search',
      user: `user-${Math.floor(random() * 40)}`,
      tier: model.tier,
    },
  }
}

function completionOf(
  request: RequestLog & { correlation_id: string },
  model: DemoModel,
  random: () => number,
): StreamCompletion {
  const isBroken = random() < FAILURE_SHARE / 2
  const input = request.input_tokens ?? 0
  const output = Math.round(100 + 1400 * random() ** 2)
  return {
    type: 'stream_completed',
    correlation_id: request.correlation_id,
    input_tokens: input,
    output_tokens: output,
    cost_sats: null,
    provider_cost_sats: null,
    ...cacheReadOf(model, input, random),
    stream_duration_ms: Math.round(request.latency_ms + output * (12 + 10 * random())),
    success: !isBroken,
    error_status: isBroken ? 502 : null,
    error_message: isBroken ? 'stream broke off' : null,
  }
}

/** The part of the input that comes from a cache: more than half of every third request, if any. */
function cacheReadOf(
  { cacheReadInput }: DemoModel,
  input: number,
  random: () => number,
): { cache_read_input_tokens?: number } {
  if (cacheReadInput === null) return {}
  const share = random() < 1 / 3 ? 0.5 + 0.4 * random() : 0
  return { cache_read_input_tokens: Math.floor(input * share) }
}

function pick(random: () => number): DemoModel {
  let rest = random()
  for (const model of MODELS) {
    rest -= model.share
    if (rest < 0) return model
  }
  return MODELS[0] as DemoModel
}

function uuid(random: () => number): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}

/** mulberry32: small, and good enough for made-up traffic. */
function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

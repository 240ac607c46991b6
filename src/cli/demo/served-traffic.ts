import type { EventInput, PriceInput, RateInput } from '../../events/event-types.js'
import {
  type DemoModel,
  type DemoRequest,
  demoModel,
  demoPrices,
  demoRequest,
  seededRandom,
} from './demo-traffic.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** A week, and the one before it, which the page compares it with. */
const HISTORY_DAYS = 14
/** How many requests a second there are at the busiest hour of a weekday. */
const LIVE_PER_SECOND = 3
const HISTORY_PER_HOUR = 180
const RATE_EVERY_MS = 6 * HOUR_MS
const USD_PER_BTC = 67_000
const SEED = 20261127

/** Real models take about this many times as long as those of the short demo. */
const SLOWNESS = 8
/** The time between two chunks of a stream. */
const CHUNK_MS = 350

/** A model that nobody has set a price for. */
const UNPRICED = demoModel(['gemini-3-preview', 'google', 'quality', 'frontier', 0.08, 110, '0', null, '0'])

/** An outage two days ago: a provider was overloaded for a while. */
const OUTAGE = { provider: 'anthropic', beforeMs: 2 * DAY_MS, lengthMs: 3 * HOUR_MS, share: 0.6 }

/** A {@link demoRequest} as slow as a real one; some are of a model without a price. */
export function servedRequest(index: number): DemoRequest {
  const request = demoRequest(index)
  const model: DemoModel = seededRandom(SEED - index)() < UNPRICED.share ? UNPRICED : request.model
  const labels = { ...request.labels, tier: model.tier }
  return { ...request, model, labels, delayMs: request.delayMs * SLOWNESS, chunkMs: CHUNK_MS }
}

/** How many requests a second there are at this time: few at night and on weekends. */
export function requestsPerSecond(now: number): number {
  return LIVE_PER_SECOND * (0.4 + 0.6 * activity(now))
}

/**
 * Makes up the two weeks before a time: prices and exchange rates, and requests with the ends of their
 * streams, in the order of their timestamps.
 */
export function* servedHistory(now: number): Generator<EventInput> {
  const from = now - HISTORY_DAYS * DAY_MS
  yield* pricesFrom(from, now)
  let index = -1
  for (let hour = from; hour < now; hour += HOUR_MS) {
    const count = Math.round(HISTORY_PER_HOUR * activity(hour) * (0.8 + 0.4 * seededRandom(hour / HOUR_MS)()))
    for (let i = 0; i < count; i++) {
      const timestampMs = hour + (HOUR_MS * i) / count
      // The client itself sends the requests from now on.
      if (timestampMs < now - MINUTE_MS) yield* eventsOf(servedRequest(index--), timestampMs, now)
    }
  }
}

function* pricesFrom(from: number, now: number): Generator<PriceInput | RateInput> {
  // Requests need a rate that is at most a day old, also the first ones.
  yield* demoPrices(from - HOUR_MS)
  const random = seededRandom(SEED)
  let usdPerBtc = USD_PER_BTC
  for (let at = from; at < now; at += RATE_EVERY_MS) {
    usdPerBtc *= 1 + 0.02 * (random() - 0.5)
    const observed_at = new Date(at).toISOString()
    yield { type: 'exchange_rate_observed', observed_at, usd_per_btc: usdPerBtc.toFixed(2), source: 'demo' }
  }
}

/** From 0.1 to 1: the afternoon of a weekday in UTC is the busiest time. */
function activity(at: number): number {
  const date = new Date(at)
  const hour = date.getUTCHours() + date.getUTCMinutes() / 60
  const day = Math.max(0, Math.sin(((hour - 5) / 18) * Math.PI)) ** 2
  const isWeekend = date.getUTCDay() % 6 === 0
  return 0.1 + 0.9 * day * (isWeekend ? 0.35 : 1)
}

function* eventsOf(request: DemoRequest, timestampMs: number, now: number): Generator<EventInput> {
  const { model, streaming, labels, isBroken } = request
  const outage = now - OUTAGE.beforeMs
  const isOutage =
    model.provider === OUTAGE.provider &&
    timestampMs >= outage &&
    timestampMs < outage + OUTAGE.lengthMs &&
    seededRandom(timestampMs)() < OUTAGE.share
  const failure = isOutage
    ? { status: 529, message: 'overloaded_error: Overloaded', isTemporary: false }
    : request.failure
  const correlation_id = `demo-${timestampMs.toFixed(0)}-${model.model}`
  const logged = {
    correlation_id,
    timestamp: new Date(timestampMs).toISOString(),
    model: model.model,
    provider: model.provider,
    policy: model.policy,
    streaming,
    latency_ms: request.delayMs,
    labels,
  }
  const usage = {
    input_tokens: request.inputTokens,
    cache_read_input_tokens: request.cachedTokens,
    output_tokens: request.outputTokens,
  }
  if (failure !== null) {
    yield {
      ...logged,
      attempt: 0,
      success: false,
      error_status: failure.status,
      error_message: failure.message,
    }
    if (!failure.isTemporary) return
    const again = new Date(timestampMs + request.delayMs + 500).toISOString()
    yield { ...logged, ...usage, timestamp: again, attempt: 1, streaming: false, success: true }
  } else if (streaming) {
    yield { ...logged, attempt: 0, success: true }
    const stream_duration_ms = request.delayMs + 8 * request.outputTokens
    yield {
      type: 'stream_completed',
      correlation_id,
      attempt: 0,
      timestamp: new Date(timestampMs + stream_duration_ms).toISOString(),
      stream_duration_ms,
      ...(isBroken ? { input_tokens: null, output_tokens: null } : usage),
      cost_sats: null,
      provider_cost_sats: null,
      success: !isBroken,
      error_status: null,
      error_message: isBroken ? 'the client went away before the end' : null,
    }
  } else yield { ...logged, ...usage, attempt: 0, success: true }
}

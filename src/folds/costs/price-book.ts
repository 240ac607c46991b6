import type { PriceSet } from '../../events/event-types.js'
import { isBefore, type Place } from '../../events/place.js'
import { grouped } from '../grouped.js'
import {
  identityOf,
  isWithdrawn,
  type PlacedPrice,
  type PlacedRate,
  type Price,
  placed,
  priceOf,
  type Rate,
  rateOf,
  tooOldFrom,
} from './price.js'
import { lastUpTo, reach, sameTime } from './sorted-history.js'
import type { TimeRange } from './time-range.js'

/** The values of a request on which the price in force depends. */
export interface PricedRequest {
  timestamp: string
  model: string
  response_model?: string | null
  provider: string | null
  service_tier?: string | null
  input_tokens: number | null
}

/** Prices that share a key. Each is in force until the next one. */
interface Entry {
  readonly provider: string | null
  readonly serviceTier: string | null
  readonly minInputTokens: number | null
  /** By `valid_from`, then by place. */
  readonly history: readonly Price[]
}

/**
 * The service tiers of requests to which a price without a service tier applies. It also applies to
 * requests without one.
 */
export const USUAL_TIERS: ReadonlySet<string> = new Set(['default', 'standard', 'auto', 'on_demand'])

/**
 * All prices and exchange rates that are known. The price and the rate of a request depend on the
 * set of events alone, not on their order. A book never changes: `with` returns another one.
 */
export class PriceBook {
  static readonly EMPTY = new PriceBook(new Map(), [])

  readonly #models: ReadonlyMap<string, readonly Entry[]>
  /** By `observed_at`, then by place. */
  readonly #rates: readonly Rate[]

  private constructor(models: ReadonlyMap<string, readonly Entry[]>, rates: readonly Rate[]) {
    this.#models = models
    this.#rates = rates
  }

  /** Whether the book has the same price from the same place. */
  hasPrice(price: PlacedPrice): boolean {
    const identity = identityOf(price)
    return this.#history(price.event).some((known) => identityOf(placed(known)) === identity)
  }

  /** Whether the book has the same rate from the same place. */
  hasRate(rate: PlacedRate): boolean {
    const identity = identityOf(rate)
    const { observed_at } = rate.event
    const ofSameTime = sameTime(this.#rates, observed_at, observedAt)
    return ofSameTime.some((known) => identityOf(placed(known)) === identity)
  }

  /** Whether there are prices of this model, in force or not. */
  hasModel(model: string): boolean {
    return this.#models.has(model)
  }

  /** Returns a book that also has these prices and rates. This one mustn't have any of them yet. */
  with(prices: readonly PlacedPrice[], rates: readonly PlacedRate[]): PriceBook {
    if (prices.length === 0 && rates.length === 0) return this
    const models = new Map(this.#models)
    for (const [model, added] of grouped(prices, ({ event }) => event.model)) {
      let entries = models.get(model) ?? []
      for (const [, ofKey] of grouped(added, ({ event }) => keyOf(event))) {
        entries = withPrices(entries, ofKey.map(priceOf))
      }
      models.set(model, entries)
    }
    return new PriceBook(models, sortedRates(this.#rates, rates.map(rateOf)))
  }

  /** Returns a book without these prices and rates. */
  without(prices: readonly PlacedPrice[], rates: readonly PlacedRate[]): PriceBook {
    const gone = new Set([...prices, ...rates].map(identityOf))
    const isLeft = (known: Price | Rate) => !gone.has(identityOf(placed(known)))
    const models = [...this.#models].map(
      ([model, entries]) =>
        [model, entries.map((entry) => ({ ...entry, history: entry.history.filter(isLeft) }))] as const,
    )
    return new PriceBook(new Map(models), this.#rates.filter(isLeft))
  }

  /**
   * Returns the price in force for a request: a price of its response_model, or else of its model.
   * If the request meets the conditions of several, the one with the highest `min_input_tokens`
   * counts, then one for its provider, then the one with the latest `valid_from` up to the request,
   * then the one at the later place.
   */
  priceFor(request: PricedRequest): Price | null {
    if (this.#models.size === 0) return null
    const { model, response_model = null } = request
    const ofResponse = response_model === null ? null : this.#priceOf(response_model, request)
    return ofResponse ?? (model === response_model ? null : this.#priceOf(model, request))
  }

  /** The newest rate that was observed up to a timestamp and at most 24 hours before it. */
  rateAt(timestamp: string): Rate | null {
    const rate = lastUpTo(this.#rates, timestamp, observedAt)
    return rate === undefined || timestamp >= rate.until ? null : rate
  }

  /**
   * The timestamps of the requests whose cost may depend on a price; null if there can't be any.
   */
  reachOfPrice({ event, ...place }: PlacedPrice): TimeRange | null {
    return reach(this.#history(event), validFrom, event.valid_from, place)
  }

  /** The timestamps of the requests whose cost may depend on a rate; null if there can't be any. */
  reachOfRate({ event, ...place }: PlacedRate): TimeRange | null {
    const range = reach(this.#rates, observedAt, event.observed_at, place)
    if (range === null) return null
    const end = tooOldFrom(event)
    return { from: range.from, until: range.until < end ? range.until : end }
  }

  /** The prices with the key of this one. */
  #history(event: PriceSet): readonly Price[] {
    return this.#models.get(event.model)?.find((entry) => hasKey(entry, event))?.history ?? []
  }

  #priceOf(model: string, request: PricedRequest): Price | null {
    let best: Price | null = null
    for (const entry of this.#models.get(model) ?? []) {
      if (!isMet(entry, request)) continue
      const price = lastUpTo(entry.history, request.timestamp, validFrom)
      if (price === undefined || isWithdrawn(price.event)) continue
      if (best === null || isBetter(price, best)) best = price
    }
    return best
  }
}

function isMet({ provider, serviceTier, minInputTokens }: Entry, request: PricedRequest): boolean {
  if (provider !== null && provider !== request.provider) return false
  if (minInputTokens !== null && (request.input_tokens ?? -1) < minInputTokens) return false
  const tier = request.service_tier ?? null
  return serviceTier === null ? tier === null || USUAL_TIERS.has(tier) : serviceTier === tier
}

function isBetter(price: Price, than: Price): boolean {
  const [a, b] = [price.event, than.event]
  const higherBy = (a.min_input_tokens ?? -1) - (b.min_input_tokens ?? -1)
  if (higherBy !== 0) return higherBy > 0
  if ((a.provider === null) !== (b.provider === null)) return a.provider !== null
  if (a.valid_from !== b.valid_from) return a.valid_from > b.valid_from
  return isBefore(than.place, price.place)
}

/** Returns entries that include these prices, which share one key. */
function withPrices(entries: readonly Entry[], prices: readonly Price[]): Entry[] {
  const [first] = prices
  if (first === undefined) return [...entries]
  const at = entries.findIndex((entry) => hasKey(entry, first.event))
  const { provider, service_tier, min_input_tokens } = first.event
  const history = [...(entries[at]?.history ?? []), ...prices].sort(
    (a, b) => compare(validFrom(a), validFrom(b)) || comparePlaces(a, b),
  )
  const entry = { provider, serviceTier: service_tier, minInputTokens: min_input_tokens, history }
  return at === -1 ? [...entries, entry] : entries.map((old, index) => (index === at ? entry : old))
}

function sortedRates(rates: readonly Rate[], added: readonly Rate[]): readonly Rate[] {
  if (added.length === 0) return rates
  return [...rates, ...added].sort((a, b) => compare(observedAt(a), observedAt(b)) || comparePlaces(a, b))
}

function hasKey(entry: Entry, { provider, service_tier, min_input_tokens }: PriceSet): boolean {
  return (
    entry.provider === provider &&
    entry.serviceTier === service_tier &&
    entry.minInputTokens === min_input_tokens
  )
}

/** The key of a price among those of its model. Its currency isn't part of it. */
function keyOf({ provider, service_tier, min_input_tokens }: PriceSet): string {
  return JSON.stringify([provider, service_tier, min_input_tokens])
}

function validFrom({ event }: Price): string {
  return event.valid_from
}

function observedAt({ event }: Rate): string {
  return event.observed_at
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function comparePlaces({ place: a }: { place: Place }, { place: b }: { place: Place }): number {
  return a.segmentId - b.segmentId || a.byteOffset - b.byteOffset
}

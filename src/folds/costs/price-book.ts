import type { PriceSet } from '../../events/event-types.js'
import { comparePlaces, isBefore, type Place } from '../../events/place.js'
import { grouped } from '../grouped.js'
import {
  AFTER_ALL_TIMES,
  identityOf,
  isWithdrawn,
  type PlacedPrice,
  type PlacedRate,
  type Price,
  priceOf,
  type Rate,
  rateOf,
  type TimeRange,
  tooOldFrom,
} from './price.js'

/** The values of a request on which the price in force depends. */
export interface PricedRequest {
  timestamp: string
  model: string
  response_model?: string | null
  provider: string | null
  service_tier?: string | null
  input_tokens: number | null
}

/**
 * Prices or rates, sorted by the time from which each is in force, then by place. Each is in force
 * until the next one is.
 */
type History<T extends Price | Rate> = readonly T[]

/** The prices of a model. Those that share a key are one history. */
type Histories = ReadonlyMap<string, History<Price>>

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

  readonly #models: ReadonlyMap<string, Histories>
  readonly #rates: History<Rate>

  private constructor(models: ReadonlyMap<string, Histories>, rates: History<Rate>) {
    this.#models = models
    this.#rates = rates
  }

  /** Whether the book has the same price from the same place. */
  hasPrice(price: PlacedPrice): boolean {
    const identity = identityOf(price)
    return this.#history(price.event).some((known) => known.identity === identity)
  }

  /** Whether the book has the same rate from the same place. */
  hasRate(rate: PlacedRate): boolean {
    const identity = identityOf(rate)
    const ofSameTime = sameTime(this.#rates, rate.event.observed_at)
    return ofSameTime.some((known) => known.identity === identity)
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
      const histories = new Map(models.get(model))
      for (const [key, ofKey] of grouped(added, ({ event }) => keyOf(event))) {
        histories.set(key, sorted([...(histories.get(key) ?? []), ...ofKey.map(priceOf)]))
      }
      models.set(model, histories)
    }
    return new PriceBook(models, sorted([...this.#rates, ...rates.map(rateOf)]))
  }

  /** Returns a book without these prices and rates. */
  without(prices: readonly PlacedPrice[], rates: readonly PlacedRate[]): PriceBook {
    const gone = new Set([...prices, ...rates].map(identityOf))
    const isLeft = (known: Price | Rate) => !gone.has(known.identity)
    const rest = (histories: Histories) =>
      new Map([...histories].map(([key, history]) => [key, history.filter(isLeft)]))
    const models = [...this.#models].map(([model, histories]) => [model, rest(histories)] as const)
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
    const ofResponse = response_model === null ? null : this.#priceInForce(response_model, request)
    return ofResponse ?? (model === response_model ? null : this.#priceInForce(model, request))
  }

  /** The newest rate that was observed up to a timestamp and at most 24 hours before it. */
  rateAt(timestamp: string): Rate | null {
    const rate = lastUpTo(this.#rates, timestamp)
    return rate === undefined || timestamp >= rate.until ? null : rate
  }

  /**
   * The timestamps of the requests whose cost may depend on a price; null if there can't be any.
   */
  reachOfPrice({ event, ...place }: PlacedPrice): TimeRange | null {
    return reach(this.#history(event), event.valid_from, place)
  }

  /** The timestamps of the requests whose cost may depend on a rate; null if there can't be any. */
  reachOfRate({ event, ...place }: PlacedRate): TimeRange | null {
    const range = reach(this.#rates, event.observed_at, place)
    if (range === null) return null
    const end = tooOldFrom(event)
    return { from: range.from, until: range.until < end ? range.until : end }
  }

  /** The prices with the key of this one. */
  #history(event: PriceSet): History<Price> {
    return this.#models.get(event.model)?.get(keyOf(event)) ?? []
  }

  #priceInForce(model: string, request: PricedRequest): Price | null {
    let best: Price | null = null
    for (const history of this.#models.get(model)?.values() ?? []) {
      const [first] = history
      if (first === undefined || !isMet(first.event, request)) continue
      const price = lastUpTo(history, request.timestamp)
      if (price === undefined || isWithdrawn(price.event)) continue
      if (best === null || isBetter(price, best)) best = price
    }
    return best
  }
}

function isMet({ provider, service_tier, min_input_tokens }: PriceSet, request: PricedRequest): boolean {
  if (provider !== null && provider !== request.provider) return false
  if (min_input_tokens !== null && (request.input_tokens ?? -1) < min_input_tokens) return false
  const tier = request.service_tier ?? null
  return service_tier === null ? tier === null || USUAL_TIERS.has(tier) : service_tier === tier
}

function isBetter(price: Price, than: Price): boolean {
  const [a, b] = [price.event, than.event]
  const higherBy = (a.min_input_tokens ?? -1) - (b.min_input_tokens ?? -1)
  if (higherBy !== 0) return higherBy > 0
  if ((a.provider === null) !== (b.provider === null)) return a.provider !== null
  if (a.valid_from !== b.valid_from) return a.valid_from > b.valid_from
  return isBefore(than.place, price.place)
}

function sorted<T extends Price | Rate>(history: History<T>): History<T> {
  return history.toSorted((a, b) =>
    a.from === b.from ? comparePlaces(a.place, b.place) : a.from < b.from ? -1 : 1,
  )
}

/** The key of a price among those of its model. Its currency isn't part of it. */
function keyOf({ provider, service_tier, min_input_tokens }: PriceSet): string {
  return JSON.stringify([provider, service_tier, min_input_tokens])
}

/** How many items of a history begin before a timestamp or, if `isInclusive`, at it. */
function countUpTo(history: History<Price | Rate>, timestamp: string, isInclusive: boolean): number {
  let [from, to] = [0, history.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    const time = (history[middle] as Price | Rate).from
    if (time < timestamp || (isInclusive && time === timestamp)) from = middle + 1
    else to = middle
  }
  return from
}

/** The last item of a history that begins at or before a timestamp. */
function lastUpTo<T extends Price | Rate>(history: History<T>, timestamp: string): T | undefined {
  return history[countUpTo(history, timestamp, true) - 1]
}

/** The items of a history that begin at exactly this time. */
function sameTime<T extends Price | Rate>(history: History<T>, timestamp: string): History<T> {
  return history.slice(countUpTo(history, timestamp, false), countUpTo(history, timestamp, true))
}

/**
 * The time from one item of a history to the next; null if another item of the same time, at
 * a later place, replaces it.
 */
function reach(history: History<Price | Rate>, from: string, place: Place): TimeRange | null {
  if (sameTime(history, from).some((item) => isBefore(place, item.place))) return null
  return { from, until: history[countUpTo(history, from, true)]?.from ?? AFTER_ALL_TIMES }
}

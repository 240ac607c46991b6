import {
  type ExchangeRateObserved,
  PRICE_PARTS,
  type PricePart,
  type PriceSet,
} from '../../events/event-types.js'
import { isBefore, type Place } from '../../events/place.js'
import { scaledDecimal } from './decimal.js'

/** A `price_set` and its place. */
export interface PlacedPrice extends Place {
  event: PriceSet
}

/** An `exchange_rate_observed` and its place. */
export interface PlacedRate extends Place {
  event: ExchangeRateObserved
}

/** A price in the form from which costs are computed. */
export interface Price {
  readonly event: PriceSet
  readonly place: Place
  /** What a token of each part costs, in trillionths of the currency's unit. */
  readonly perToken: Readonly<Partial<Record<PricePart, bigint>>>
  /** The parts that are priced separately from the rest of the input or the output. */
  readonly parts: Readonly<Record<'input' | 'output', readonly PricedPart[]>>
  /** What a request costs, in the same unit. */
  readonly perRequest: bigint
}

/** An exchange rate in the form from which costs are computed. */
export interface Rate {
  readonly event: ExchangeRateObserved
  readonly place: Place
  /** Dollars for a bitcoin, in hundred-millionths of a dollar. */
  readonly usdPerBtc: bigint
  /** The timestamp from which it is too old. */
  readonly until: string
}

/** Timestamps from one, inclusive, to another, exclusive. */
export interface TimeRange {
  from: string
  until: string
}

/** A text that sorts after every timestamp, even one that another program wrote. */
export const AFTER_ALL_TIMES = '\u{10ffff}'

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

/** How long a rate is used after it was observed. */
export const MAX_RATE_AGE_MS = 24 * 3_600_000

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
   * Of the prices whose conditions the request meets it is the one with the highest
   * `min_input_tokens`, then one for its provider, then the one with the latest `valid_from` up to
   * the request, then the one at the later place.
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

/** Returns a key that two price events share only if they are the same event at the same place. */
export function identityOf({ event, segmentId, byteOffset }: PlacedPrice | PlacedRate): string {
  if (event.type === 'exchange_rate_observed') {
    return JSON.stringify([segmentId, byteOffset, event.observed_at, event.usd_per_btc, event.source])
  }
  return JSON.stringify([
    segmentId,
    byteOffset,
    event.provider,
    event.model,
    event.valid_from,
    event.currency,
    PRICE_PARTS.map((part) => event.per_million?.[part] ?? null),
    event.per_request,
    event.service_tier,
    event.min_input_tokens,
    event.source,
  ])
}

function placed(known: Price): PlacedPrice
function placed(known: Rate): PlacedRate
function placed(known: Price | Rate): PlacedPrice | PlacedRate
function placed({ event, place }: Price | Rate): PlacedPrice | PlacedRate {
  return { event, ...place } as PlacedPrice | PlacedRate
}

/** Whether a price_set withdraws the price of its key, so that there is none from then on. */
export function isWithdrawn({
  per_million,
  per_request,
}: Pick<PriceSet, 'per_million' | 'per_request'>): boolean {
  return per_request === null && PRICE_PARTS.every((part) => per_million?.[part] === undefined)
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

/**
 * How many items of a sorted history have a time before a timestamp, or up to it if it is
 * inclusive.
 */
function countUpTo<T>(
  history: readonly T[],
  timestamp: string,
  timeOf: (item: T) => string,
  isInclusive: boolean,
): number {
  let [from, to] = [0, history.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    const time = timeOf(history[middle] as T)
    if (time < timestamp || (isInclusive && time === timestamp)) from = middle + 1
    else to = middle
  }
  return from
}

/** The last of a sorted history whose time is at or before a timestamp. */
function lastUpTo<T>(history: readonly T[], timestamp: string, timeOf: (item: T) => string): T | undefined {
  return history[countUpTo(history, timestamp, timeOf, true) - 1]
}

/** The items of a sorted history that have exactly this time. */
function sameTime<T>(history: readonly T[], timestamp: string, timeOf: (item: T) => string): readonly T[] {
  return history.slice(
    countUpTo(history, timestamp, timeOf, false),
    countUpTo(history, timestamp, timeOf, true),
  )
}

/**
 * The time from one item of a sorted history to the next; null if another item of the same time, at
 * a later place, replaces it.
 */
function reach<T extends { place: Place }>(
  history: readonly T[],
  timeOf: (item: T) => string,
  from: string,
  place: Place,
): TimeRange | null {
  if (sameTime(history, from, timeOf).some((item) => isBefore(place, item.place))) return null
  const next = history[countUpTo(history, from, timeOf, true)]
  return { from, until: next === undefined ? AFTER_ALL_TIMES : timeOf(next) }
}

/** The price that an event sets. */
export function priceOf({ event, segmentId, byteOffset }: PlacedPrice): Price {
  const perToken: Partial<Record<PricePart, bigint>> = {}
  for (const part of PRICE_PARTS) {
    const price = event.per_million?.[part]
    // A millionth of the price of a million tokens, in trillionths.
    if (price !== undefined) perToken[part] = scaledDecimal(price, 6)
  }
  const perRequest = event.per_request === null ? 0n : scaledDecimal(event.per_request, 12)
  const parts = { input: pricedParts(INPUT_PARTS, perToken), output: pricedParts(OUTPUT_PARTS, perToken) }
  return { event, place: { segmentId, byteOffset }, perToken, parts, perRequest }
}

const INPUT_PARTS = [
  'cache_read_input',
  'cache_creation_input',
  'cache_creation_1h_input',
  'audio_input',
  'image_input',
] as const
const OUTPUT_PARTS = ['reasoning_output', 'audio_output'] as const

/** A part of the input tokens or of the output tokens. */
export type TokenPart = (typeof INPUT_PARTS | typeof OUTPUT_PARTS)[number]

/** A part that is priced separately, and what one of its tokens costs. */
export interface PricedPart {
  readonly part: TokenPart
  readonly perToken: bigint
}

function pricedParts(parts: readonly TokenPart[], prices: Price['perToken']): PricedPart[] {
  return parts.flatMap((part) => {
    let perToken = prices[part]
    // Tokens cached for an hour are a part of all tokens written to the cache. Without a price of
    // their own they cost what those cost.
    if (part === 'cache_creation_1h_input') perToken ??= prices.cache_creation_input
    return perToken === undefined ? [] : [{ part, perToken }]
  })
}

function rateOf({ event, segmentId, byteOffset }: PlacedRate): Rate {
  const usdPerBtc = scaledDecimal(event.usd_per_btc, 8)
  return { event, place: { segmentId, byteOffset }, usdPerBtc, until: tooOldFrom(event) }
}

function tooOldFrom({ observed_at }: ExchangeRateObserved): string {
  const end = new Date(Date.parse(observed_at) + MAX_RATE_AGE_MS + 1).toISOString()
  // A timestamp of the year 10000 begins with a plus sign, which sorts before all digits.
  return end < observed_at ? AFTER_ALL_TIMES : end
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

function grouped<T>(items: readonly T[], keyOfItem: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOfItem(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

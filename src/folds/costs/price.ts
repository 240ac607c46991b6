import {
  type ExchangeRateObserved,
  PRICE_PARTS,
  type PricePart,
  type PriceSet,
} from '../../events/event-types.js'
import type { Place } from '../../events/place.js'
import { scaledDecimal } from './decimal.js'

/** A `price_set` and its place. */
export interface PlacedPrice extends Place {
  event: PriceSet
}

/** An `exchange_rate_observed` and its place. */
export interface PlacedRate extends Place {
  event: ExchangeRateObserved
}

/** A price or a rate in the form from which costs are computed. */
interface HistoryItem<Event> {
  readonly event: Event
  readonly place: Place
  /** See {@link identityOf}. */
  readonly identity: string
  /** The timestamp from which it is in force: `valid_from` or `observed_at`. */
  readonly from: string
}

export interface Price extends HistoryItem<PriceSet> {
  /** What a token of each part costs, in trillionths of the currency's unit. */
  readonly perToken: Readonly<Partial<Record<PricePart, bigint>>>
  /** The parts that are priced separately from the rest of the input or the output. */
  readonly parts: Readonly<Record<'input' | 'output', readonly PricedPart[]>>
  /** What a request costs, in the same unit. */
  readonly perRequest: bigint
}

export interface Rate extends HistoryItem<ExchangeRateObserved> {
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

/** A string that sorts after every timestamp, even one that another program wrote. */
export const AFTER_ALL_TIMES = '\u{10ffff}'

/** The smallest range that covers both. */
export function joinRanges(a: TimeRange | null, b: TimeRange | null): TimeRange | null {
  if (a === null || b === null) return a ?? b
  return { from: a.from < b.from ? a.from : b.from, until: a.until > b.until ? a.until : b.until }
}

/** How long a rate is used after it was observed. */
const MAX_RATE_AGE_MS = 24 * 3_600_000

/** The price that an event sets. */
export function priceOf(price: PlacedPrice): Price {
  const { event } = price
  const perToken: Partial<Record<PricePart, bigint>> = {}
  for (const part of PRICE_PARTS) {
    const price = event.per_million?.[part]
    // A millionth of the price of a million tokens, in trillionths.
    if (price !== undefined) perToken[part] = scaledDecimal(price, 6)
  }
  const perRequest = event.per_request === null ? 0n : scaledDecimal(event.per_request, 12)
  const parts = { input: pricedParts(INPUT_PARTS, perToken), output: pricedParts(OUTPUT_PARTS, perToken) }
  return { ...historyItem(price, event, event.valid_from), perToken, parts, perRequest }
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
type TokenPart = (typeof INPUT_PARTS | typeof OUTPUT_PARTS)[number]

/** A part that is priced separately, and what one of its tokens costs. */
export interface PricedPart {
  readonly part: TokenPart
  /** The column that counts its tokens. */
  readonly column: `${TokenPart}_tokens`
  readonly perToken: bigint
}

function pricedParts(parts: readonly TokenPart[], prices: Price['perToken']): PricedPart[] {
  return parts.flatMap((part) => {
    let perToken = prices[part]
    // Tokens cached for an hour are a part of all tokens written to the cache. Without a price of
    // their own they cost what those cost.
    if (part === 'cache_creation_1h_input') perToken ??= prices.cache_creation_input
    return perToken === undefined ? [] : [{ part, column: `${part}_tokens`, perToken }]
  })
}

/** The exchange rate that an event gives. */
export function rateOf(rate: PlacedRate): Rate {
  const { event } = rate
  const usdPerBtc = scaledDecimal(event.usd_per_btc, 8)
  return { ...historyItem(rate, event, event.observed_at), until: tooOldFrom(event), usdPerBtc }
}

function historyItem<Event>(
  placed: PlacedPrice | PlacedRate,
  event: Event,
  from: string,
): HistoryItem<Event> {
  const { segmentId, byteOffset } = placed
  return { event, place: { segmentId, byteOffset }, identity: identityOf(placed), from }
}

/** The timestamp from which a rate is too old. */
export function tooOldFrom({ observed_at }: ExchangeRateObserved): string {
  const end = new Date(Date.parse(observed_at) + MAX_RATE_AGE_MS + 1).toISOString()
  // A timestamp of the year 10000 begins with a plus sign, which sorts before all digits.
  return end < observed_at ? AFTER_ALL_TIMES : end
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

/** Whether a price_set withdraws the price of its key, so that there is none from then on. */
export function isWithdrawn({
  per_million,
  per_request,
}: Pick<PriceSet, 'per_million' | 'per_request'>): boolean {
  return per_request === null && PRICE_PARTS.every((part) => per_million?.[part] === undefined)
}

import type { Place } from '../../events/place.js'
import { type Amount, amountOf, roundedToBillionths } from './decimal.js'
import type { Rate } from './price.js'
import type { PriceBook, PricedRequest } from './price-book.js'
import { type Usage, usageCost } from './usage-cost.js'

/** The cost of a row, as the values of its columns. */
export interface RowCost {
  /** Null: unknown. */
  cost_sats: number | null
  cost_usd: number | null
  /** The source of the figure. Null if the cost is unknown. */
  cost_source: CostSource | null
  /**
   * The currency of the source's figure, from which the other currency follows by an exchange rate.
   * Null if the source has both, or there is no figure.
   */
  cost_currency: Currency | null
  /** The place of the price that the figure was computed from. */
  price: Place | null
}

export type CostSource = 'logged' | 'provider' | 'price_book'
export type Currency = 'sats' | 'usd'

/** The figures of one source. */
export interface Figures {
  sats: number | null
  usd: number | null
}

/** Everything that a request's cost depends on, except the price book and the logged figures. */
export interface CostFacts extends Usage, PricedRequest {
  input_tokens: number | null
  provider_cost_sats: number | null
  provider_cost_usd?: number | null
}

/**
 * A `usdPerBtc` divided by this is the price of a satoshi in dollars: it is in 10^-8 dollars, and a
 * bitcoin has 10^8 satoshis.
 */
const RATE_SCALE = 10n ** 16n
const PICOS_PER_NANO = 1000n

const UNPRICED: RowCost = {
  cost_sats: null,
  cost_usd: null,
  cost_source: null,
  cost_currency: null,
  price: null,
}

/**
 * Computes what a request cost: the figures that were logged, else the provider's own, else its
 * usage times the price in force. A currency for which the source has no figure follows from the
 * other one by the exchange rate at the request's time, and stays unknown if there is none.
 *
 * @param logged the gateway's own figures.
 */
export function rowCost(request: CostFacts, logged: Figures, book: PriceBook): RowCost {
  if (logged.sats !== null || logged.usd !== null) return costOfFigures('logged', logged, request, book)
  const { provider_cost_sats: sats, provider_cost_usd: usd = null } = request
  if (sats !== null || usd !== null) return costOfFigures('provider', { sats, usd }, request, book)
  const price = book.priceFor(request)
  const picos = price === null ? null : usageCost(price, request)
  if (price === null || picos === null) return UNPRICED
  const { currency } = price.event
  const rate = book.rateAt(request.timestamp)
  // Each currency is rounded once, from the exact amount.
  const own = roundedToBillionths(picos, PICOS_PER_NANO)
  const exact = { numerator: picos, denominator: PICOS_PER_NANO }
  const other = rate === null ? null : converted(currency, exact, rate)
  return {
    cost_sats: currency === 'sats' ? own : other,
    cost_usd: currency === 'sats' ? other : own,
    cost_source: 'price_book',
    cost_currency: currency,
    price: price.place,
  }
}

/**
 * Returns the figures that were logged for a row, as its columns show them. If a row has no source,
 * its cost is unknown, or the row is from before costs were computed, or from another program; in
 * any of these cases its columns hold just what was logged.
 */
export function loggedFigures(row: Omit<RowCost, 'price'>): Figures {
  const { cost_sats, cost_usd, cost_source, cost_currency } = row
  if (cost_source === null) return { sats: cost_sats, usd: cost_usd }
  if (cost_source !== 'logged') return { sats: null, usd: null }
  return {
    sats: cost_currency === 'usd' ? null : cost_sats,
    usd: cost_currency === 'sats' ? null : cost_usd,
  }
}

/** Whether two costs have the same columns. */
export function isSameCost(a: RowCost, b: RowCost): boolean {
  return (
    a.cost_sats === b.cost_sats &&
    a.cost_usd === b.cost_usd &&
    a.cost_source === b.cost_source &&
    a.cost_currency === b.cost_currency &&
    a.price?.segmentId === b.price?.segmentId &&
    a.price?.byteOffset === b.price?.byteOffset
  )
}

function costOfFigures(
  source: 'logged' | 'provider',
  { sats, usd }: Figures,
  { timestamp }: CostFacts,
  book: PriceBook,
): RowCost {
  const hasBoth = sats !== null && usd !== null
  const currency = sats === null ? 'usd' : 'sats'
  const rate = hasBoth ? null : book.rateAt(timestamp)
  // A figure stays as it was given, even with more than nine decimals.
  const other = rate === null ? null : converted(currency, amountOf(sats ?? usd ?? 0), rate)
  return {
    cost_sats: sats ?? other,
    cost_usd: usd ?? other,
    cost_source: source,
    cost_currency: hasBoth ? null : currency,
    price: null,
  }
}

/** Converts an amount of one currency to the other. */
function converted(from: Currency, { numerator, denominator }: Amount, { usdPerBtc }: Rate): number | null {
  return from === 'sats'
    ? roundedToBillionths(numerator * usdPerBtc, denominator * RATE_SCALE)
    : roundedToBillionths(numerator * RATE_SCALE, denominator * usdPerBtc)
}

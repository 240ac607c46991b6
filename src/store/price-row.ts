import {
  type ExchangeRateObserved,
  PRICE_PARTS,
  type PricePart,
  type PriceSet,
} from '../events/event-types.js'
import type { PlacedPrice, PlacedRate } from '../folds/costs/price.js'

/** A row of `prices`, in either store. A part without a price of its own is null. */
export interface PriceRow
  extends Omit<PriceSet, 'type' | 'per_million'>,
    Readonly<Record<PricePart, string | null>> {
  segment_id: number
  byte_offset: number
}

/** A row of `exchange_rates`, in either store. */
export interface RateRow extends Omit<ExchangeRateObserved, 'type'> {
  segment_id: number
  byte_offset: number
}

/** Price events that are stored. */
export interface StoredPrices {
  prices: PlacedPrice[]
  rates: PlacedRate[]
}

/** The price that a row holds. */
export function placedPrice(row: PriceRow): PlacedPrice {
  const parts = PRICE_PARTS.flatMap((part) => (row[part] === null ? [] : [[part, row[part]]]))
  const event: PriceSet = {
    type: 'price_set',
    provider: row.provider,
    model: row.model,
    valid_from: row.valid_from,
    currency: row.currency,
    per_million: parts.length === 0 ? null : Object.fromEntries(parts),
    per_request: row.per_request,
    service_tier: row.service_tier,
    min_input_tokens: row.min_input_tokens,
    source: row.source,
  }
  return { event, segmentId: row.segment_id, byteOffset: row.byte_offset }
}

/** The exchange rate that a row holds. */
export function placedRate({ segment_id, byte_offset, ...row }: RateRow): PlacedRate {
  const event: ExchangeRateObserved = { type: 'exchange_rate_observed', ...row }
  return { event, segmentId: segment_id, byteOffset: byte_offset }
}

// Reads and writes a journal's prices and exchange rates in PostgreSQL, for projections.
import { PRICE_PARTS } from '../../events/event-types.js'
import type { Place } from '../../events/place.js'
import { PriceBook } from '../../folds/costs/price-book.js'
import { type PriceRow, placedPrice, placedRate, type RateRow, type StoredPrices } from '../price-row.js'
import type { JournalConnection } from './journal-connection.js'

/** The SQL of a decimal as the string that was written, since PostgreSQL keeps its zeros. */
const decimal = (column: string) => `${column}::text`

/** The select lists of prices and of exchange rates. */
export const PRICE_COLUMNS = [
  'segment_id, byte_offset, provider, model, valid_from, currency, service_tier, min_input_tokens, source',
  ...[...PRICE_PARTS, 'per_request'].map(decimal),
].join(', ')
export const RATE_COLUMNS = `segment_id, byte_offset, observed_at, ${decimal('usd_per_btc')}, source`

/** Reads everything that a journal's costs are computed from. */
export async function readPriceBook(journal: JournalConnection): Promise<PriceBook> {
  const prices = await journal.all<PriceRow>(`SELECT ${PRICE_COLUMNS} FROM prices WHERE journal = $1`)
  const rates = await journal.all<RateRow>(`SELECT ${RATE_COLUMNS} FROM exchange_rates WHERE journal = $1`)
  return PriceBook.EMPTY.with(prices.map(placedPrice), rates.map(placedRate))
}

/** Deletes a journal's prices and rates of segments after a given one, and returns them. */
export async function takePrices(journal: JournalConnection, afterSegmentId: number): Promise<StoredPrices> {
  const take = async <Row extends object>(table: string, columns: string) =>
    await journal.all<Row>(
      `DELETE FROM ${table} WHERE journal = $1 AND segment_id > $2 RETURNING ${columns}`,
      afterSegmentId,
    )
  const prices = await take<PriceRow>('prices', PRICE_COLUMNS)
  const rates = await take<RateRow>('exchange_rates', RATE_COLUMNS)
  return { prices: prices.map(placedPrice), rates: rates.map(placedRate) }
}

export async function insertPrices(
  journal: JournalConnection,
  { prices, rates }: StoredPrices,
): Promise<void> {
  const priceRows = prices.map(({ event: { per_million, ...event }, ...place }) => ({
    ...event,
    ...per_million,
    ...placeColumns(place),
  }))
  await journal.insert('prices', priceRows)
  const rateRows = rates.map(({ event, ...place }) => ({ ...event, ...placeColumns(place) }))
  await journal.insert('exchange_rates', rateRows)
}

function placeColumns({ segmentId, byteOffset }: Place): object {
  return { segment_id: segmentId, byte_offset: byteOffset }
}

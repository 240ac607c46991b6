import {
  type ExchangeRateObserved,
  PRICE_PARTS,
  type PricePart,
  type PriceSet,
} from '../../events/event-types.js'
import { type PlacedPrice, type PlacedRate, PriceBook } from '../../folds/costs/price-book.js'
import type { Connection } from './connection/connection.js'
import { jsonRows } from './connection/values.js'

/** Price events that are stored. */
export interface StoredPrices {
  prices: PlacedPrice[]
  rates: PlacedRate[]
}

type PriceRow = Omit<PriceSet, 'type' | 'per_million'> &
  Record<PricePart, string | null> & { segment_id: number; byte_offset: number }

type RateRow = Omit<ExchangeRateObserved, 'type'> & { segment_id: number; byte_offset: number }

/** A decimal's text as it was written, since PostgreSQL keeps its zeros. */
const decimal = (column: string) => `${column}::text`

/** The select lists that give prices and exchange rates. */
export const PRICE_COLUMNS = [
  ...['segment_id', 'byte_offset', 'provider', 'model', 'valid_from', 'currency', 'service_tier'],
  ...['min_input_tokens', 'source'],
  ...[...PRICE_PARTS, 'per_request'].map(decimal),
].join(', ')
export const RATE_COLUMNS = `segment_id, byte_offset, observed_at, ${decimal('usd_per_btc')}, source`

/** Reads a journal's prices and rates of segments after a given one. */
export async function readPrices(
  connection: Connection,
  journal: number,
  afterSegmentId = 0,
): Promise<StoredPrices> {
  const which = 'WHERE journal = $1 AND segment_id > $2'
  const prices = await connection.all<PriceRow>(
    `SELECT ${PRICE_COLUMNS} FROM prices ${which}`,
    journal,
    afterSegmentId,
  )
  const rates = await connection.all<RateRow>(
    `SELECT ${RATE_COLUMNS} FROM exchange_rates ${which}`,
    journal,
    afterSegmentId,
  )
  return { prices: prices.map(placedPrice), rates: rates.map(placedRate) }
}

/** Reads everything that a journal's costs are computed from. */
export async function readPriceBook(connection: Connection, journal: number): Promise<PriceBook> {
  const { prices, rates } = await readPrices(connection, journal)
  return PriceBook.EMPTY.with(prices, rates)
}

export async function insertPrices(
  connection: Connection,
  journal: number,
  { prices, rates }: StoredPrices,
): Promise<void> {
  const priceRows = prices.map(({ event: { per_million, ...event }, ...place }) => ({
    ...event,
    ...per_million,
    ...keyOf(journal, place),
  }))
  await insert(connection, 'prices', priceRows)
  const rateRows = rates.map(({ event, ...place }) => ({ ...event, ...keyOf(journal, place) }))
  await insert(connection, 'exchange_rates', rateRows)
}

/** Deletes a journal's prices and rates of segments after a given one. */
export async function clearPrices(
  connection: Connection,
  journal: number,
  afterSegmentId: number,
): Promise<void> {
  for (const table of ['prices', 'exchange_rates']) {
    await connection.run(
      `DELETE FROM ${table} WHERE journal = $1 AND segment_id > $2`,
      journal,
      afterSegmentId,
    )
  }
}

async function insert(connection: Connection, table: string, rows: readonly object[]): Promise<void> {
  if (rows.length === 0) return
  const sql = `INSERT INTO ${table} SELECT * FROM json_populate_recordset(NULL::${table}, $1)`
  await connection.run(sql, jsonRows(rows))
}

function keyOf(
  journal: number,
  { segmentId, byteOffset }: { segmentId: number; byteOffset: number },
): object {
  return { journal, segment_id: segmentId, byte_offset: byteOffset }
}

function placedPrice({ segment_id, byte_offset, ...row }: PriceRow): PlacedPrice {
  const parts = PRICE_PARTS.flatMap((part) => (row[part] === null ? [] : [[part, row[part]]]))
  const { provider, model, valid_from, currency, per_request, service_tier, min_input_tokens, source } = row
  const event: PriceSet = {
    ...{ type: 'price_set', provider, model, valid_from, currency },
    per_million: parts.length === 0 ? null : Object.fromEntries(parts),
    ...{ per_request, service_tier, min_input_tokens, source },
  }
  return { event, segmentId: segment_id, byteOffset: byte_offset }
}

function placedRate({ segment_id, byte_offset, ...row }: RateRow): PlacedRate {
  return {
    event: { type: 'exchange_rate_observed', ...row },
    segmentId: segment_id,
    byteOffset: byte_offset,
  }
}

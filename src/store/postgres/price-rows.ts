import { PRICE_PARTS } from '../../events/event-types.js'
import { PriceBook } from '../../folds/costs/price-book.js'
import { type PriceRow, placedPrice, placedRate, type RateRow, type StoredPrices } from '../price-row.js'
import type { Connection } from './connection/connection.js'
import { jsonRows } from './connection/values.js'

/** SQL for a decimal's text as it was written, since PostgreSQL keeps its zeros. */
const decimal = (column: string) => `${column}::text`

/** The select lists of prices and of exchange rates. */
export const PRICE_COLUMNS = [
  'segment_id, byte_offset, provider, model, valid_from, currency, service_tier, min_input_tokens, source',
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

// Writes prices and exchange rates to SQLite. price-queries.ts reads them.
import { PRICE_PARTS } from '../../events/event-types.js'
import type { PriceRow, StoredPrices } from '../price-row.js'
import type { Database } from './connection/database.js'

const PRICE_COLUMNS = [
  'segment_id',
  'byte_offset',
  'provider',
  'model',
  'valid_from',
  'currency',
  ...PRICE_PARTS,
  'per_request',
  'service_tier',
  'min_input_tokens',
  'source',
] as const satisfies readonly (keyof PriceRow)[]

export function insertPrices(database: Database, { prices, rates }: StoredPrices): void {
  const price = database.prepare(
    `INSERT INTO prices (${PRICE_COLUMNS.join(', ')}) VALUES (${PRICE_COLUMNS.map(() => '?').join(', ')})`,
  )
  for (const { event, segmentId, byteOffset } of prices) {
    const { per_million, ...columns } = event
    const row = { ...columns, ...per_million, segment_id: segmentId, byte_offset: byteOffset }
    price.run(...PRICE_COLUMNS.map((column) => row[column] ?? null))
  }
  const rate = database.prepare('INSERT INTO exchange_rates VALUES (?, ?, ?, ?, ?)')
  for (const { event, segmentId, byteOffset } of rates) {
    rate.run(segmentId, byteOffset, event.observed_at, event.usd_per_btc, event.source)
  }
}

/** Deletes the prices and rates of segments after a given one. */
export function clearPrices(database: Database, afterSegmentId: number): void {
  for (const table of ['prices', 'exchange_rates']) {
    database.prepare(`DELETE FROM ${table} WHERE segment_id > ?`).run(afterSegmentId)
  }
}

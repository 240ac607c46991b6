import { existsSync } from 'node:fs'
import type { PriceSet } from '../../events/event-types.js'
import { AFTER_ALL_TIMES, isWithdrawn, type PlacedPrice } from '../../folds/costs/price.js'
import { PriceBook, type PricedRequest } from '../../folds/costs/price-book.js'
import { historiesOf, keyOf } from '../../queries/costs/price-history.js'
import { QueryError } from '../../queries/errors.js'
import { prepareDeadlines, withinDeadline } from '../../queries/window/deadline.js'
import { all } from '../../store/condition.js'
import type { JournalTables } from '../journal-tables.js'
import { readStoredPrices, type StoredPricesOptions } from './stored-prices.js'
import { unprojectedPrices } from './unprojected-prices.js'

/** Requests that a price applies to, and that have tokens but no cost. */
export interface AwaitingPrice {
  /** How many are from when the price is in force, so that it gives them a cost. */
  since: number
  /** How many are from before that, so that they stay unpriced. */
  before: number
  /** The timestamp of the first one from before that; null if there is none. */
  first: string | null
}

/** What a price that is about to be set changes, as far as journal and database show it. */
export interface PriceEffect {
  /** The price that follows: the next `valid_from` of the same key; null: there is none. */
  next: PriceSet | null
  /** Null: reading the requests took too long. */
  requests: RequestEffect | null
}

export interface RequestEffect {
  unpriced: AwaitingPrice
  /**
   * Requests that have a cost from another price: those that get another cost, and those that lose
   * it.
   */
  priced: { changed: number; lost: number }
}

export interface PriceEffectOptions extends StoredPricesOptions {
  journal: string
  /** By the clock of `performance.now()`. */
  deadline: number
}

/** A request, and whether its cost comes from a price. */
type Row = PricedRequest & { is_priced: 0 | 1 }

/**
 * Finds out what a price changes once it is appended. It scans all requests, and reads the prices
 * in the part of the journal that isn't projected yet, but not the requests there.
 *
 * @throws as {@link readStoredPrices} and {@link unprojectedPrices}.
 */
export async function priceEffect(price: PriceSet, options: PriceEffectOptions): Promise<PriceEffect> {
  const { journal, deadline } = options
  const positions = readStoredPrices(options, (tables) => tables.knownSegments().positions) ?? []
  const waiting = existsSync(journal) ? await unprojectedPrices(journal, positions, deadline) : []
  const found = readStoredPrices(options, (tables, stored) => {
    // A projector may have stored some of them since.
    const known = PriceBook.EMPTY.with(stored.prices, [])
    const prices = [...stored.prices, ...waiting.filter((waits) => !known.hasPrice(waits))]
    return effectOf(price, prices, rowsOf(price.model, tables, deadline))
  })
  return found ?? effectOf(price, waiting, [])
}

function effectOf(price: PriceSet, prices: readonly PlacedPrice[], rows: Iterable<Row>): PriceEffect {
  const history = historiesOf(prices).get(keyOf(price)) ?? []
  const nextTime = history.find(({ event }) => event.valid_from > price.valid_from)?.event.valid_from
  const next = history.findLast(({ event }) => event.valid_from === nextTime)?.event ?? null
  try {
    return { next, requests: requestsOf(price, prices, rows) }
  } catch (error) {
    if (error instanceof QueryError && error.code === 'TIMED_OUT') return { next, requests: null }
    throw error
  }
}

function requestsOf(price: PriceSet, prices: readonly PlacedPrice[], rows: Iterable<Row>): RequestEffect {
  const placed = { event: price, segmentId: Number.MAX_SAFE_INTEGER, byteOffset: 0 }
  const alone = PriceBook.EMPTY.with([placed], [])
  const old = PriceBook.EMPTY.with(prices, [])
  const book = old.with([placed], [])
  const unpriced: AwaitingPrice = { since: 0, before: 0, first: null }
  const priced = { changed: 0, lost: 0 }
  for (const { is_priced, ...row } of rows) {
    if (is_priced === 1) {
      const [before, after] = [old.priceFor(row), book.priceFor(row)]
      if (before !== null && after === null) priced.lost++
      else if (before !== null && before !== after) priced.changed++
    } else if (!isWithdrawn(price) && alone.priceFor({ ...row, timestamp: AFTER_ALL_TIMES }) !== null) {
      const isPricedThen = book.priceFor(row) !== null
      const { timestamp } = row
      if (timestamp >= price.valid_from) unpriced.since += Number(isPricedThen)
      // Otherwise a price that isn't projected yet applies to it.
      else if (!isPricedThen) {
        unpriced.before++
        if (unpriced.first === null || timestamp < unpriced.first) unpriced.first = timestamp
      }
    }
  }
  return { unpriced, priced }
}

/** Reads the requests of a model whose cost comes from a price, or would. */
function rowsOf(model: string, tables: JournalTables, deadline: number): Iterable<Row> {
  const { database } = tables
  prepareDeadlines(database, deadline)
  const { sql, values } = all([
    ...withinDeadline(database, deadline),
    { sql: '(model = ? OR response_model = ?)', values: [model, model] },
    {
      sql: `(cost_source = 'price_book' OR (cost_sats IS NULL AND cost_usd IS NULL
        AND (input_tokens IS NOT NULL OR output_tokens IS NOT NULL)))`,
      values: [],
    },
  ])
  const rows = database.prepare<unknown[], Row>(
    `SELECT timestamp, provider, model, response_model, service_tier, input_tokens,
      CASE WHEN cost_source = 'price_book' THEN 1 ELSE 0 END AS is_priced
     FROM ${tables.from('requests')} WHERE ${sql}`,
  )
  return rows.iterate(...values)
}

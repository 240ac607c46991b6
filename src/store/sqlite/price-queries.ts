// Reads prices and exchange rates through a `QueryDatabase`, so from either store.
import type { PlacedPrice, PlacedRate } from '../../folds/costs/price.js'
import { PriceBook } from '../../folds/costs/price-book.js'
import { all, type Condition, type SqlValue } from '../condition.js'
import { type PriceRow, placedPrice, placedRate, type RateRow, type StoredPrices } from '../price-row.js'
import { dialectOf, type QueryDatabase } from '../query-database.js'

/**
 * Reads prices and rates.
 *
 * @param condition the SQL of a condition on their columns, with `values` for its placeholders.
 */
export function readPrices(database: QueryDatabase, condition = 'TRUE', ...values: SqlValue[]): StoredPrices {
  const which = { sql: condition, values }
  return { prices: pricesWhere(database, which), rates: ratesWhere(database, which) }
}

function pricesWhere(database: QueryDatabase, { sql, values }: Condition): PlacedPrice[] {
  const select = `SELECT ${dialectOf(database).priceColumns} FROM prices WHERE ${sql}`
  return database
    .prepare<SqlValue[], PriceRow>(select)
    .all(...values)
    .map(placedPrice)
}

function ratesWhere(database: QueryDatabase, { sql, values }: Condition): PlacedRate[] {
  const select = `SELECT ${dialectOf(database).rateColumns} FROM exchange_rates WHERE ${sql}`
  return database
    .prepare<SqlValue[], RateRow>(select)
    .all(...values)
    .map(placedRate)
}

/**
 * Reads what the cost of one request may be computed from: all prices of these models in its
 * journal, and the newest exchange rate up to its timestamp.
 */
export function readBookOf(
  database: QueryDatabase,
  { id, timestamp }: { id: number; timestamp: string },
  models: readonly string[],
): PriceBook {
  const dialect = dialectOf(database)
  const ofJournal = dialect.isInJournal(dialect.journalNumberOf(id))
  const list = dialect.list(models)
  const ofModels = all([...ofJournal, { sql: `model IN ${list.sql}`, values: list.values }])
  const before = all([...ofJournal, { sql: 'observed_at <= ?', values: [timestamp] }])
  const newest = `${before.sql} ORDER BY observed_at DESC, segment_id DESC, byte_offset DESC LIMIT 1`
  return PriceBook.EMPTY.with(
    pricesWhere(database, ofModels),
    ratesWhere(database, { ...before, sql: newest }),
  )
}

/** Returns a function that finds what the costs of a journal's requests are computed from. */
export function priceBooks(database: QueryDatabase): (journal: number) => PriceBook {
  const books = new Map<number, PriceBook>()
  return (journal) => {
    const book = books.get(journal) ?? readPriceBook(database, all(dialectOf(database).isInJournal(journal)))
    books.set(journal, book)
    return book
  }
}

/** Reads everything that costs are computed from. */
export function readPriceBook(database: QueryDatabase, which: Condition = all([])): PriceBook {
  return PriceBook.EMPTY.with(pricesWhere(database, which), ratesWhere(database, which))
}

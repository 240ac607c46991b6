import { numberOfBillionths } from '../folds/costs/decimal.js'
import type { PlacedPrice } from '../folds/costs/price.js'
import { PriceBook } from '../folds/costs/price-book.js'
import { type CostFacts, loggedFigures, type RowCost, rowCost } from '../folds/costs/row-cost.js'
import { billionthsOf } from '../folds/sums/counted-values.js'
import { keyOf } from '../queries/costs/price-history.js'
import { checkedFilter, type RequestFilter, rowCondition } from '../queries/window/filter.js'
import { TimeZone } from '../queries/window/time-zone.js'
import { all } from '../store/condition.js'
import type { StoredPrices } from '../store/price-row.js'
import { dialectOf, type QueryDatabase } from '../store/query-database.js'
import { readPrices } from '../store/sqlite/price-queries.js'
import { type DatabaseLocation, readFrom } from './database-location.js'
import { readCsvPrices } from './prices/csv-prices.js'
import { readLitellmPrices } from './prices/litellm.js'
import type { PriceList } from './prices/price-list.js'

export interface RepriceOptions extends RequestFilter, DatabaseLocation {
  /**
   * A file of prices that count as if they had been in force: CSV as `prices import csv` takes it,
   * or LiteLLM's if its name ends in `.json`. A price without a date replaces all prices of its
   * provider, model, service tier and number of tokens; one with a date is added.
   *
   * @default the prices in force
   */
  pricesFile?: string | undefined
  /** The IANA time zone whose days the groups are. @default 'UTC' */
  timezone?: string | undefined
}

/** A sum of costs. Null: no request has a cost in this currency. */
export interface CostSums {
  sats: number | null
  usd: number | null
  /** Requests without a cost in either currency. */
  unpriced: number
  /** Requests that the sum in satoshis leaves out. */
  unpriced_sats: number
  /** Requests that the sum in dollars leaves out. */
  unpriced_usd: number
}

/** What the requests of a model on a day cost, and what they would cost. */
export interface RepricedGroup {
  /** A day of the time zone: `2026-11-22`. */
  day: string
  model: string
  requests: number
  /** How many of them would have another cost. */
  changed: number
  old: CostSums
  new: CostSums
  /** New less old; null where one of them is. */
  difference: { sats: number | null; usd: number | null }
}

/** The JSON that `reprice --dry-run` prints. */
export interface RepriceReport {
  dry_run: true
  timezone: string
  /** By day, then by model. */
  groups: RepricedGroup[]
  total: Omit<RepricedGroup, 'day' | 'model'>
}

/**
 * Says what the requests of a log would cost with the prices in force, or with others, by model and
 * day. It reads every row of the window in one read transaction, and writes nothing.
 *
 * @throws InputError if the file of prices can't be used; DatabaseError if the database can't be
 *   read; QueryError INVALID_SINCE, INVALID_UNTIL, INVALID_BEFORE, INVALID_FILTER, MODEL_NOT_FOUND,
 *   PROVIDER_NOT_FOUND, INVALID_TIMEZONE
 */
export async function reprice(options: RepriceOptions): Promise<RepriceReport> {
  const { database, schema, pricesFile, timezone = 'UTC', ...filter } = options
  const zone = new TimeZone(timezone)
  const list = pricesFile === undefined ? null : await readPriceFile(pricesFile)
  return readFrom({ database, schema }, (opened) =>
    opened.transaction(() => reportOf(opened, list, filter, zone))(),
  )
}

async function readPriceFile(path: string): Promise<PriceList> {
  return path.toLowerCase().endsWith('.json') ? readLitellmPrices(path) : await readCsvPrices(path)
}

type Row = Omit<CostFacts, 'success'> & Omit<RowCost, 'price'> & { success: number; journal: number }

const COLUMNS = [
  'timestamp',
  'model',
  'response_model',
  'provider',
  'service_tier',
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_1h_input_tokens',
  'audio_input_tokens',
  'image_input_tokens',
  'reasoning_output_tokens',
  'audio_output_tokens',
  'provider_cost_sats',
  'provider_cost_usd',
  'cost_sats',
  'cost_usd',
  'cost_source',
  'cost_currency',
] as const satisfies readonly (keyof Row)[]

function reportOf(
  database: QueryDatabase,
  list: PriceList | null,
  filter: RequestFilter,
  zone: TimeZone,
): RepriceReport {
  const dialect = dialectOf(database)
  const bookOf = booksWith(database, list)
  const { sql, values } = rowCondition(database, checkedFilter(database, filter))
  const rows = database.prepare<unknown[], Row>(
    `SELECT ${COLUMNS.join(', ')}, ${dialect.journalColumn} AS journal,
       CASE WHEN ${dialect.isTrue('success')} THEN 1 ELSE 0 END AS success
     FROM requests WHERE ${sql}`,
  )
  const groups = new Map<string, Group>()
  const total = new Group()
  for (const row of rows.iterate(...values)) {
    const cost = rowCost({ ...row, success: row.success !== 0 }, loggedFigures(row), bookOf(row.journal))
    const day = zone.localText(Date.parse(row.timestamp)).slice(0, 10)
    const key = JSON.stringify([day, row.model])
    const group = groups.get(key) ?? new Group()
    groups.set(key, group)
    group.add(row, cost)
    total.add(row, cost)
  }
  const sorted = [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return {
    dry_run: true,
    timezone: zone.name,
    groups: sorted.map(([key, group]) => {
      const [day, model] = JSON.parse(key) as [string, string]
      return { day, model, ...group.report() }
    }),
    total: total.report(),
  }
}

/** Returns a function that gives the book of a journal's requests, with the prices of a list. */
function booksWith(database: QueryDatabase, list: PriceList | null): (journal: number) => PriceBook {
  const books = new Map<number, PriceBook>()
  return (journal) => {
    const { sql, values } = all(dialectOf(database).isInJournal(journal))
    const book = books.get(journal) ?? bookWith(readPrices(database, sql, ...values), list)
    books.set(journal, book)
    return book
  }
}

/** The book of the stored prices, with those of a list as if they had been in force. */
function bookWith({ prices, rates }: StoredPrices, list: PriceList | null): PriceBook {
  if (list === null) return PriceBook.EMPTY.with(prices, rates)
  const isReplaced = new Set(list.prices.flatMap(({ event, isDated }) => (isDated ? [] : [keyOf(event)])))
  const kept = prices.filter(({ event }) => !isReplaced.has(keyOf(event)))
  // Placed after all stored prices: of two prices with the same instant, the one with the later
  // place counts.
  const added = list.prices.map(({ event }, byteOffset): PlacedPrice => {
    return { event, segmentId: Number.MAX_SAFE_INTEGER, byteOffset }
  })
  return PriceBook.EMPTY.with([...kept, ...added], rates)
}

/** What a group of requests costs before and after. */
class Group {
  #requests = 0
  #changed = 0
  readonly #old = new Sums()
  readonly #new = new Sums()

  add(before: Pick<RowCost, 'cost_sats' | 'cost_usd'>, after: RowCost): void {
    this.#requests++
    if (before.cost_sats !== after.cost_sats || before.cost_usd !== after.cost_usd) this.#changed++
    this.#old.add(before)
    this.#new.add(after)
  }

  report(): Omit<RepricedGroup, 'day' | 'model'> {
    return {
      requests: this.#requests,
      changed: this.#changed,
      old: this.#old.report(),
      new: this.#new.report(),
      difference: {
        sats: difference(this.#old.sats, this.#new.sats),
        usd: difference(this.#old.usd, this.#new.usd),
      },
    }
  }
}

/** Sums of costs in billionths; null: no request has a cost. */
class Sums {
  sats: bigint | null = null
  usd: bigint | null = null
  #unpriced = 0
  #unpricedSats = 0
  #unpricedUsd = 0

  add({ cost_sats, cost_usd }: Pick<RowCost, 'cost_sats' | 'cost_usd'>): void {
    if (cost_sats === null && cost_usd === null) this.#unpriced++
    if (cost_sats === null) this.#unpricedSats++
    else this.sats = (this.sats ?? 0n) + billionthsOf(cost_sats)
    if (cost_usd === null) this.#unpricedUsd++
    else this.usd = (this.usd ?? 0n) + billionthsOf(cost_usd)
  }

  report(): CostSums {
    const { sats, usd } = this
    return {
      sats: sats === null ? null : numberOfBillionths(sats),
      usd: usd === null ? null : numberOfBillionths(usd),
      unpriced: this.#unpriced,
      unpriced_sats: this.#unpricedSats,
      unpriced_usd: this.#unpricedUsd,
    }
  }
}

function difference(before: bigint | null, after: bigint | null): number | null {
  return before === null || after === null ? null : numberOfBillionths(after - before)
}

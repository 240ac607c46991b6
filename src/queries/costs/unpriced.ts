import type { Currency } from '../../folds/costs/row-cost.js'
import { all } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { priceBooks } from '../../store/sqlite/price-queries.js'
import { detailsOf, type RequestColumns } from '../../store/sqlite/stored-row.js'
import { isInSums } from '../window/added-rows.js'
import { checkedFilter, type RequestFilter, rowCondition } from '../window/filter.js'
import { type UnpricedReason, unpricedReason, usedCurrencies } from './unpriced-reason.js'

/** Requests of a provider and a model for whose tokens there is no price. */
export interface UnpricedModel {
  /** Null: no provider was chosen. */
  provider: string | null
  /** The model's name, as the client asked for it. */
  model: string
  /** The model that the provider says answered. Null: it wasn't logged. */
  response_model: string | null
  /** Null: it wasn't logged. */
  service_tier: string | null
  requests: number
  /** How many of the requests have a price for their model that wasn't in force. */
  not_in_force: number
  input_tokens: number
  output_tokens: number
  /** The timestamps of the first and the last of the requests. */
  first: string
  last: string
}

/** How many requests are unpriced for one reason. */
export interface UnpricedCount {
  reason: UnpricedReason
  /** The currency in which the cost is unknown. */
  currency: Currency | 'both'
  requests: number
  /** How many of these failed. */
  error: number
}

/** The JSON that `prices unpriced` prints. */
export interface UnpricedAnswer {
  /** The models with the most tokens come first. */
  unpriced: UnpricedModel[]
  /**
   * How many requests have no cost that a price could give them: their tokens aren't known, or a
   * part of them is larger than the whole.
   */
  without_usage: number
  /**
   * The numbers of unpriced requests by reason, the most frequent reason first. The counts of a
   * currency and of `both` add up to what statistics count as unpriced in that currency. A currency
   * that isn't in use has no counts.
   */
  reasons: UnpricedCount[]
  /** The currencies that are in use. */
  currencies: readonly Currency[]
}

/**
 * Finds out why requests are unpriced, and lists the models without a price: requests with known
 * tokens for which no cost was logged and no price is in force, grouped by provider, model and
 * service tier, those with the most tokens first. It reads every row of the window.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL, INVALID_BEFORE, INVALID_FILTER, MODEL_NOT_FOUND,
 *   PROVIDER_NOT_FOUND
 */
export function unpriced(database: QueryDatabase, filter: RequestFilter = {}): UnpricedAnswer {
  const { sql, values } = all([rowCondition(database, checkedFilter(database, filter)), isInSums(database)])
  return database.transaction(() => {
    const bookOf = priceBooks(database)
    const used = usedCurrencies(database)
    const currencies = filter.currency === undefined ? used : used.filter((name) => name === filter.currency)
    const isUnpriced = currencies.map((currency) => `cost_${currency} IS NULL`).join(' OR ')
    const { journalColumn, storedColumns } = dialectOf(database)
    const rows = database.prepare<unknown[], RequestColumns & { journal: number }>(
      `SELECT ${journalColumn} AS journal, ${storedColumns} FROM requests
       WHERE ${sql} AND (${isUnpriced || 'cost_sats IS NULL AND cost_usd IS NULL'})`,
    )
    const models = new Map<string, UnpricedModel>()
    const counts = new Map<string, UnpricedCount>()
    let withoutUsage = 0
    for (const row of rows.iterate(...values)) {
      const book = bookOf(row.journal)
      const hasFailed = row.success === 0
      if (row.cost_sats !== null || row.cost_usd !== null) {
        const reason = book.rateAt(row.timestamp) === null ? 'no_rate' : 'to_be_repriced'
        count(counts, reason, row.cost_sats === null ? 'sats' : 'usd', hasFailed)
        continue
      }
      const facts = { ...row, ...detailsOf(row.details), success: !hasFailed }
      const reason = unpricedReason(facts, book)
      count(counts, reason, 'both', hasFailed)
      if (reason === 'no_price' || reason === 'price_not_in_force') addRow(models, facts, reason)
      else withoutUsage++
    }
    return {
      unpriced: sorted(models, compare),
      without_usage: withoutUsage,
      reasons: sorted(counts, (a, b) => b.requests - a.requests),
      currencies,
    }
  })()
}

function count(
  counts: Map<string, UnpricedCount>,
  reason: UnpricedReason,
  currency: UnpricedCount['currency'],
  hasFailed: boolean,
): void {
  const key = `${reason} ${currency}`
  const known = counts.get(key)
  const [requests, error] = [(known?.requests ?? 0) + 1, (known?.error ?? 0) + Number(hasFailed)]
  counts.set(key, { reason, currency, requests, error })
}

type Facts = Pick<RequestColumns, 'input_tokens' | 'output_tokens' | 'timestamp' | 'provider' | 'model'> &
  Pick<UnpricedModel, 'response_model' | 'service_tier'>

function addRow(models: Map<string, UnpricedModel>, row: Facts, reason: UnpricedReason): void {
  const { provider, model, response_model, service_tier, timestamp } = row
  const key = JSON.stringify([provider, model, response_model, service_tier])
  const known = models.get(key)
  models.set(key, {
    provider,
    model,
    response_model,
    service_tier,
    requests: (known?.requests ?? 0) + 1,
    not_in_force: (known?.not_in_force ?? 0) + Number(reason === 'price_not_in_force'),
    input_tokens: (known?.input_tokens ?? 0) + (row.input_tokens ?? 0),
    output_tokens: (known?.output_tokens ?? 0) + (row.output_tokens ?? 0),
    first: known === undefined || timestamp < known.first ? timestamp : known.first,
    last: known === undefined || timestamp > known.last ? timestamp : known.last,
  })
}

function compare(a: UnpricedModel, b: UnpricedModel): number {
  const tokens = b.input_tokens + b.output_tokens - (a.input_tokens + a.output_tokens)
  return tokens || b.requests - a.requests || (a.model < b.model ? -1 : Number(a.model > b.model))
}

/** The values in order, equal ones by their keys: each database has its own order of rows. */
function sorted<Value>(values: ReadonlyMap<string, Value>, compare: (a: Value, b: Value) => number): Value[] {
  return [...values]
    .toSorted(([keyA, a], [keyB, b]) => compare(a, b) || (keyA < keyB ? -1 : 1))
    .map(([, value]) => value)
}

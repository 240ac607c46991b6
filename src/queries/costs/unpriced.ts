import type { PricedRequest } from '../../folds/costs/price-book.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { priceBooks } from '../../store/sqlite/price-rows.js'
import { checkedFilter, type RequestFilter, rowCondition } from '../window/filter.js'

/** Requests of a provider and a model for whose tokens there is no price. */
export interface UnpricedModel {
  /** Null: no provider was chosen. */
  provider: string | null
  /** The model's name, as the client asked for it. */
  model: string
  /** The model that the provider says answered. Null: not told. */
  response_model: string | null
  /** Null: none was told. */
  service_tier: string | null
  requests: number
  input_tokens: number
  output_tokens: number
  /** The timestamps of the first and the last of them. */
  first: string
  last: string
}

/** The JSON that `prices unpriced` prints. */
export interface UnpricedAnswer {
  /** Those with most tokens first. */
  unpriced: UnpricedModel[]
  /**
   * Requests without a cost that no price would change: their tokens aren't known, or are more in a
   * part than in the whole.
   */
  without_usage: number
}

type Row = PricedRequest &
  Pick<UnpricedModel, 'response_model' | 'service_tier'> & { journal: number; output_tokens: number | null }

/**
 * Lists the models without a price: requests with known tokens for which nobody has told a cost and
 * no price is in force, by provider, model and service tier, those with most tokens first. It reads
 * every row of the window.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL, INVALID_BEFORE, INVALID_FILTER, MODEL_NOT_FOUND,
 *   PROVIDER_NOT_FOUND
 */
export function unpriced(database: QueryDatabase, filter: RequestFilter = {}): UnpricedAnswer {
  const { sql, values } = rowCondition(database, checkedFilter(database, filter))
  return database.transaction(() => {
    const bookOf = priceBooks(database)
    const rows = database.prepare<unknown[], Row>(
      `SELECT ${dialectOf(database).journal} AS journal, timestamp, provider, model, response_model, service_tier, input_tokens, output_tokens
       FROM requests WHERE ${sql} AND cost_sats IS NULL AND cost_usd IS NULL`,
    )
    const models = new Map<string, UnpricedModel>()
    let withoutUsage = 0
    for (const row of rows.iterate(...values)) {
      const isUnknown = row.input_tokens === null && row.output_tokens === null
      if (isUnknown || bookOf(row.journal).priceFor(row) !== null) withoutUsage++
      else addRow(models, row)
    }
    return { unpriced: [...models.values()].toSorted(compare), without_usage: withoutUsage }
  })()
}

function addRow(models: Map<string, UnpricedModel>, row: Row): void {
  const { provider, model, response_model, service_tier, timestamp } = row
  const key = JSON.stringify([provider, model, response_model, service_tier])
  const known = models.get(key)
  models.set(key, {
    provider,
    model,
    response_model,
    service_tier,
    requests: (known?.requests ?? 0) + 1,
    input_tokens: (known?.input_tokens ?? 0) + (row.input_tokens ?? 0),
    output_tokens: (known?.output_tokens ?? 0) + (row.output_tokens ?? 0),
    first: known === undefined || timestamp < known.first ? timestamp : known.first,
    last: known === undefined || timestamp > known.last ? timestamp : known.last,
  })
}

function compare(a: UnpricedModel, b: UnpricedModel): number {
  const tokens = b.input_tokens + b.output_tokens - (a.input_tokens + a.output_tokens)
  return tokens || b.requests - a.requests || (a.model < b.model ? -1 : 1)
}

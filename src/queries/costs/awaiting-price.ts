import type { PriceSet } from '../../events/event-types.js'
import { AFTER_ALL_TIMES, PriceBook, type PricedRequest } from '../../folds/costs/price-book.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { all } from '../window/condition.js'
import { prepareDeadlines, withinDeadline } from '../window/deadline.js'

/** Requests with tokens and without a cost that a price is for. */
export interface AwaitingPrice {
  /** Since the price is in force: it gives them a cost. */
  since: number
  /** From before: they stay unpriced. */
  before: number
  /** The timestamp of the first one from before; null: there is none. */
  first: string | null
}

/**
 * Counts the unpriced requests that a price is for, whenever they were. It reads every row.
 *
 * @param deadline by the clock of `performance.now()`.
 * @throws QueryError TIMED_OUT
 */
export function requestsAwaiting(database: QueryDatabase, price: PriceSet, deadline: number): AwaitingPrice {
  prepareDeadlines(database, deadline)
  const { sql, values } = all([
    ...withinDeadline(database, deadline),
    { sql: 'cost_sats IS NULL AND cost_usd IS NULL', values: [] },
    { sql: '(model = ? OR response_model = ?)', values: [price.model, price.model] },
    { sql: '(input_tokens IS NOT NULL OR output_tokens IS NOT NULL)', values: [] },
  ])
  const rows = database.prepare<unknown[], PricedRequest>(
    `SELECT timestamp, provider, model, response_model, service_tier, input_tokens FROM requests WHERE ${sql}`,
  )
  const book = PriceBook.EMPTY.with([{ event: price, segmentId: 0, byteOffset: 0 }], [])
  const found: AwaitingPrice = { since: 0, before: 0, first: null }
  for (const row of rows.iterate(...values)) {
    if (book.priceFor({ ...row, timestamp: AFTER_ALL_TIMES }) === null) continue
    if (row.timestamp >= price.valid_from) found.since++
    else {
      found.before++
      if (found.first === null || row.timestamp < found.first) found.first = row.timestamp
    }
  }
  return found
}

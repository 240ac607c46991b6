import type { StoredRequest } from '../stored-request.js'
import { isRetry } from '../sums/counted-values.js'
import type { PlacedPrice, PlacedRate } from './price.js'
import { joinRanges, type TimeRange } from './price.js'
import type { PriceBook } from './price-book.js'
import { isSameCost, loggedFigures, type RowCost, rowCost } from './row-cost.js'

/**
 * A stored request whose cost has changed because of a price or a rate, or that the sums have yet
 * to count as a retry.
 */
export interface RepricedRequest {
  before: StoredRequest
  /** Its cost now. */
  cost: RowCost
  /** Whether it is a retry that the sums don't count as one yet. */
  isNewRetry: boolean
}

/**
 * Returns the timestamps of the requests whose cost may change because of prices and rates; null if
 * there are none.
 *
 * @param book the book that includes them.
 */
export function rangeToReprice(
  book: PriceBook,
  prices: readonly PlacedPrice[],
  rates: readonly PlacedRate[],
): TimeRange | null {
  return [
    ...prices.map((price) => book.reachOfPrice(price)),
    ...rates.map((rate) => book.reachOfRate(rate)),
  ].reduce(joinRanges, null)
}

/**
 * Recomputes the costs of stored requests.
 *
 * @param countsRetries whether the sums have yet to count which of these requests are retries,
 *   because the database was filled before roll-ups had `retries`.
 * @returns those whose cost isn't the stored one, or that the sums have to count as retries.
 */
export function reprice(
  book: PriceBook,
  requests: readonly StoredRequest[],
  countsRetries: boolean,
): RepricedRequest[] {
  const repriced: RepricedRequest[] = []
  for (const before of requests) {
    const cost = rowCost(before, loggedFigures(before), book)
    const isNewRetry = countsRetries && isRetry(before)
    if (isNewRetry || !isSameCost(before, cost)) repriced.push({ before, cost, isNewRetry })
  }
  return repriced
}

import type { StoredRequest } from '../request-types.js'
import type { PlacedPrice, PlacedRate, PriceBook, TimeRange } from './price-book.js'
import { isSameCost, loggedFigures, rowCost } from './row-cost.js'

/** A stored request whose cost a price or a rate has changed. */
export interface RepricedRequest {
  before: StoredRequest
  after: StoredRequest
}

/**
 * The timestamps of the requests whose cost prices and rates may change; null if they change none.
 *
 * @param book the book that has them.
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

/** The smallest range that has both. */
export function joinRanges(a: TimeRange | null, b: TimeRange | null): TimeRange | null {
  if (a === null || b === null) return a ?? b
  return { from: a.from < b.from ? a.from : b.from, until: a.until > b.until ? a.until : b.until }
}

/**
 * Computes the costs of stored requests again.
 *
 * @param isFirst whether the sums don't tell yet which of these requests are retries: the database
 *   is older than that.
 * @returns those whose cost isn't what is stored, or that the sums have to count.
 */
export function reprice(
  book: PriceBook,
  requests: readonly StoredRequest[],
  isFirst: boolean,
): RepricedRequest[] {
  return requests.flatMap((request) => {
    const cost = rowCost(request, loggedFigures(request), book)
    const isUncounted = isFirst && (request.attempt ?? 0) > 0
    if (isSameCost(request, cost) && !isUncounted) return []
    const before = isUncounted ? { ...request, attempt: null } : request
    return [{ before, after: { ...request, ...cost } }]
  })
}

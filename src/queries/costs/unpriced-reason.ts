import type { PriceBook, PricedRequest } from '../../folds/costs/price-book.js'
import { type CostFacts, type Currency, rowCost } from '../../folds/costs/row-cost.js'
import { pricedTokens, type UsageProblem } from '../../folds/costs/usage-cost.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { CURRENCIES, knownCurrencies } from '../window/currency.js'

/**
 * Why a cost is unknown:
 *
 * - `no_price`: no price is set for its model.
 * - `price_not_in_force`: prices of its model are set, but none of them was in force for it.
 * - `unknown_tokens`: the tokens by which a price is multiplied weren't logged.
 * - `inconsistent_tokens`: a part of its tokens is larger than the whole, or its cost is too great
 *   to be stored as a number.
 * - `failed_without_usage`: it failed and its tokens weren't logged, so it counts as not billed.
 * - `no_rate`: its cost is known in the other currency, and no exchange rate is new enough.
 * - `to_be_repriced`: the price or exchange rate is known by now, and the projector will compute
 *   the cost soon.
 */
export type UnpricedReason = UsageProblem | 'no_price' | 'price_not_in_force' | 'no_rate' | 'to_be_repriced'

/** Returns why a request has no cost, if it has none in either currency. */
export function unpricedReason(facts: CostFacts, book: PriceBook): Exclude<UnpricedReason, 'no_rate'> {
  const isUsageUnknown = facts.input_tokens === null && facts.output_tokens === null
  // No price would change that, so it is the reason whether or not there is a price.
  if (isUsageUnknown && !facts.success) return 'failed_without_usage'
  const price = book.priceFor(facts)
  if (price === null) {
    if (isUsageUnknown) return 'unknown_tokens'
    return modelsOf(facts).some((model) => book.hasModel(model)) ? 'price_not_in_force' : 'no_price'
  }
  const problem = pricedTokens(price, facts)
  if (typeof problem === 'string') return problem
  // The only reason left is a cost too great for a number: the counts can't be true.
  const isComputed = rowCost(facts, { sats: null, usd: null }, book).cost_source !== null
  return isComputed ? 'to_be_repriced' : 'inconsistent_tokens'
}

/** Returns the model that was asked for, after the one that answered if that is another one. */
export function modelsOf({ model, response_model }: PricedRequest): string[] {
  return response_model == null || response_model === model ? [model] : [response_model, model]
}

/**
 * Returns the currencies that are in use: those in which any cost is known, or both if there are
 * exchange rates to convert with.
 */
export function usedCurrencies(database: QueryDatabase): readonly Currency[] {
  const rate = database.prepare('SELECT 1 FROM exchange_rates LIMIT 1').get()
  return rate === undefined ? knownCurrencies(database) : CURRENCIES
}

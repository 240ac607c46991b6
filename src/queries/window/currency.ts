import type { Currency } from '../../folds/costs/row-cost.js'
import { all, inRange } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { oneOf } from '../errors.js'
import { echoWindow, type Window } from './window.js'

export type { Currency }

/** The currencies of costs. Where requests have costs in both, the first one is shown. */
export const CURRENCIES: readonly Currency[] = ['sats', 'usd']

/** What an answer says about its currencies. */
export interface ShownCurrency {
  /**
   * The currency that was asked for, or else the first of `currencies`. If the window has no costs,
   * it is the first currency in which a request of any day has one, or else `sats`.
   */
  currency: Currency
  /**
   * The currencies in which a request has a known cost, satoshis first. The whole days of UTC that
   * the window touches are looked at, whatever the filters are, so that a filter doesn't change the
   * currency of a page.
   */
  currencies: Currency[]
}

/** @throws QueryError INVALID_CURRENCY */
export function checkCurrency(currency: string): Currency {
  return oneOf(CURRENCIES, currency, 'INVALID_CURRENCY', 'currency')
}

/** Finds the currency to show, by reading one total for each day of the window. */
export function shownCurrency(
  database: QueryDatabase,
  { currency, ...window }: Window & { currency?: Currency | undefined },
): ShownCurrency {
  const currencies = currenciesIn(database, window)
  const shown = currency ?? currencies[0] ?? knownCurrencies(database)[0] ?? 'sats'
  return { currency: shown, currencies }
}

/** The currencies that a page shows: the one that was asked for, or else all with known costs. */
export function currenciesOf(
  { currency: shown = 'sats', currencies = [] }: Partial<ShownCurrency>,
  asked: Currency | undefined,
): readonly Currency[] {
  return asked === undefined && currencies.length > 0 ? currencies : [asked ?? shown]
}

/** The currencies in which a request of any time has a known cost. */
export function knownCurrencies(database: QueryDatabase): Currency[] {
  return currenciesIn(database, {})
}

function currenciesIn(database: QueryDatabase, window: Window): Currency[] {
  const { since, until } = echoWindow(window)
  const days = window.since === undefined ? {} : { from: since.slice(0, 10) }
  const isBounded = window.until !== undefined || window.before !== undefined
  const { sql, values } = all([
    ...dialectOf(database).journalConditions(),
    { sql: "grain = 'day' AND grouped_by = ''", values: [] },
    inRange('period', isBounded ? { ...days, to: until.slice(0, 10) } : days),
  ])
  const known = database
    .prepare<unknown[], Record<Currency, number | null>>(
      `SELECT max(CASE WHEN requests > unpriced THEN 1 END) AS sats,
         max(CASE WHEN requests > unpriced_usd THEN 1 END) AS usd
       FROM rollup_totals WHERE ${sql}`,
    )
    .get(...values)
  return CURRENCIES.filter((currency) => known?.[currency] === 1)
}

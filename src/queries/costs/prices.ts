import type { PriceSet } from '../../events/event-types.js'
import { canonicalTimestamp } from '../../events/timestamp.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { readPrices } from '../../store/sqlite/price-queries.js'
import { QueryError } from '../errors.js'
import { type JournalPlace, placedEvent } from '../rows/full-row.js'
import { historiesOf, inForceAt } from './price-history.js'

export interface PricesOptions {
  /** The time at which the prices are in force: strict RFC 3339. @default now */
  at?: string | undefined
  /**
   * Lists every price that was ever set instead, including those that were replaced or withdrawn,
   * or that aren't in force yet; each with `until`. @default false
   */
  all?: boolean | undefined
  /** Only prices of this model, by its whole name. */
  model?: string | undefined
  /** Only prices of this provider, by its whole name, and prices that hold for any provider. */
  provider?: string | undefined
}

/** The event that set a price, and its place. With `all` the price needn't be in force. */
export interface PriceInForce extends Omit<PriceSet, 'type'>, JournalPlace {
  /**
   * Only with `all`: when the next price with the same key takes effect. That is its own
   * `valid_from` if the next one corrects it. Null if there is no next one.
   */
  until?: string | null
}

/** The JSON that `prices` prints. */
export interface PriceAnswer {
  /** A canonical timestamp. */
  at: string
  /** Sorted by model, provider, service tier and number of tokens. */
  prices: PriceInForce[]
}

/**
 * Lists the prices that are in force at a time, each with its conditions, when it took effect and
 * where it is from. Prices that were replaced or withdrawn by then aren't listed.
 *
 * @throws QueryError INVALID_SINCE if `at` isn't a strict RFC 3339 time.
 */
export function prices(database: QueryDatabase, options: PricesOptions = {}): PriceAnswer {
  const at = canonicalTimestamp(options.at ?? new Date().toISOString())
  if (at === null) {
    throw new QueryError('INVALID_SINCE', `Invalid time '${options.at}'. Expected RFC 3339 with an offset`)
  }
  const { model, provider } = options
  const stored = readPrices(database).prices.filter(
    ({ event }) =>
      (model === undefined || event.model === model) &&
      (provider === undefined || event.provider === null || event.provider === provider),
  )
  const histories = [...historiesOf(stored).values()]
  const listed = options.all
    ? histories.flatMap((history) =>
        history.map((price, index) => ({
          ...placedEvent(price),
          until: history[index + 1]?.event.valid_from ?? null,
        })),
      )
    : histories.flatMap((history) => inForceAt(history, at) ?? []).map(placedEvent)
  return { at, prices: listed.toSorted(compareKeys) }
}

function compareKeys(a: PriceInForce, b: PriceInForce): number {
  return (
    compare(a.model, b.model) ||
    compare(a.provider, b.provider) ||
    compare(a.service_tier, b.service_tier) ||
    (a.min_input_tokens ?? -1) - (b.min_input_tokens ?? -1)
  )
}

function compare(a: string | null, b: string | null): number {
  if (a === b) return 0
  return a === null || (b !== null && a < b) ? -1 : 1
}

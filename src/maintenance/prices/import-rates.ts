import { basename } from 'node:path'
import type { ExchangeRateObserved } from '../../events/event-types.js'
import { normalizeEvent } from '../../events/normalize-event.js'
import { NO_DEFAULTS, readLines } from './price-list.js'
import { readStoredPrices, type StoredPricesOptions } from './stored-prices.js'

/** A rate of a file, and the known rate for the same instant. */
export interface RateChange {
  /** Null: no rate is known for this instant. */
  old: ExchangeRateObserved | null
  new: ExchangeRateObserved
  line: number
}

/** What an import of exchange rates would do. */
export interface RateImport {
  source: string
  /** Whether there is a database; without one every rate is new. */
  has_database: boolean
  new: RateChange[]
  /** Rates for an instant for which another one is known. */
  changed: RateChange[]
  unchanged: number
}

/**
 * Reads exchange rates from a CSV file with the columns `observed_at` and `usd_per_btc`, and says
 * what they would change. Nothing is written.
 *
 * @throws InputError if the file can't be used; DatabaseError if the database can't be read.
 */
export async function planRateImport(options: StoredPricesOptions & { file: string }): Promise<RateImport> {
  const { file } = options
  const source = `csv ${basename(file)}`
  const stored = readStoredPrices(options, (_, found) => found)
  // They are sorted by place, and the last one for an instant counts.
  const known = new Map((stored?.rates ?? []).map(({ event }) => [event.observed_at, event]))
  const plan: RateImport = { source, has_database: stored !== null, new: [], changed: [], unchanged: 0 }
  const rates = await readLines(file, {
    required: ['observed_at', 'usd_per_btc'],
    optional: [],
    read({ line, get }) {
      const given = { observed_at: get('observed_at'), usd_per_btc: get('usd_per_btc'), source }
      const input = { type: 'exchange_rate_observed', ...given }
      return { line, event: normalizeEvent(input, NO_DEFAULTS) as ExchangeRateObserved }
    },
    noun: 'rate',
    keyOf: ({ event }) => event.observed_at,
    sameKey: 'a rate for the same instant',
  })
  for (const { line, event } of rates) {
    const old = known.get(event.observed_at) ?? null
    if (old !== null && Number(old.usd_per_btc) === Number(event.usd_per_btc)) plan.unchanged++
    else plan[old === null ? 'new' : 'changed'].push({ old, new: event, line })
  }
  return plan
}

import { basename } from 'node:path'
import type { ExchangeRateObserved } from '../../events/event-types.js'
import { normalizeEvent } from '../../events/normalize-event.js'
import { readCsv } from '../csv.js'
import { InputError } from '../errors.js'
import { invalidValue } from './price-list.js'
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
  const lines = new Map<string, number>()
  for await (const { line, get } of readCsv(file, {
    required: ['observed_at', 'usd_per_btc'],
    optional: [],
  })) {
    const rate = checkedRate(file, line, get('observed_at'), get('usd_per_btc'), source)
    const before = lines.get(rate.observed_at)
    if (before !== undefined) {
      throw new InputError(
        'INVALID_VALUE',
        file,
        `a rate for the same instant is on line ${before} already`,
        {
          line,
        },
      )
    }
    lines.set(rate.observed_at, line)
    const old = known.get(rate.observed_at) ?? null
    if (old !== null && Number(old.usd_per_btc) === Number(rate.usd_per_btc)) plan.unchanged++
    else plan[old === null ? 'new' : 'changed'].push({ old, new: rate, line })
  }
  if (lines.size === 0) {
    throw new InputError('INVALID_CSV', file, 'found no line below the header: expected a line for each rate')
  }
  return plan
}

function checkedRate(
  file: string,
  line: number,
  observedAt: string,
  usdPerBtc: string,
  source: string,
): ExchangeRateObserved {
  const input = { type: 'exchange_rate_observed', observed_at: observedAt, usd_per_btc: usdPerBtc, source }
  try {
    const defaults = { correlationId: () => '', timestamp: () => '' }
    return normalizeEvent(input, defaults) as ExchangeRateObserved
  } catch (error) {
    throw invalidValue(error, file, line)
  }
}

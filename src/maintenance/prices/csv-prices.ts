import { basename } from 'node:path'
import { PRICE_PARTS } from '../../events/event-types.js'
import { keyOf } from '../../queries/costs/price-history.js'
import { InputError } from '../errors.js'
import { listedPrice, type PriceList, readLines } from './price-list.js'

const COLUMNS = {
  required: ['model', 'currency'],
  optional: ['provider', 'valid_from', ...PRICE_PARTS, 'per_request', 'service_tier', 'min_input_tokens'],
} as const

/**
 * Reads prices from a CSV file: each line is a price, and the columns have the names of the members
 * of `price_set`, with a column for each part of `per_million`. An empty value means that none is
 * given. A line without any price withdraws the price of its key.
 *
 * @throws InputError FILE_UNREADABLE, INVALID_CSV, INVALID_VALUE: nothing of the file is used then.
 */
export async function readCsvPrices(path: string): Promise<PriceList> {
  const source = `csv ${basename(path)}`
  const prices = await readLines(path, {
    ...COLUMNS,
    read({ line, get }) {
      const wrong = (found: string) => new InputError('INVALID_VALUE', path, found, { line })
      for (const column of COLUMNS.required) if (get(column) === '') throw wrong(`${column}: found nothing`)
      const tokens = get('min_input_tokens')
      if (!/^\d{0,15}$/.test(tokens)) {
        throw wrong(`min_input_tokens: found '${tokens}', expected a whole number of digits only`)
      }
      const parts = PRICE_PARTS.flatMap((part) => (get(part) === '' ? [] : [[part, get(part)]]))
      const terms = {
        provider: get('provider') || null,
        model: get('model'),
        currency: get('currency') as 'usd' | 'sats',
        valid_from: get('valid_from') || null,
        per_million: parts.length === 0 ? null : Object.fromEntries(parts),
        per_request: get('per_request') || null,
        service_tier: get('service_tier') || null,
        min_input_tokens: tokens === '' ? null : Number(tokens),
        source,
      }
      return listedPrice(terms, line)
    },
    noun: 'price',
    keyOf: ({ event, isDated }) => `${keyOf(event)} ${isDated ? event.valid_from : ''}`,
    sameKey: 'the same price',
  })
  return { source, isPublic: false, prices, leftOut: [], likeness: () => null }
}

import { basename } from 'node:path'
import { PRICE_PARTS } from '../../events/event-types.js'
import { keyOf } from '../../queries/costs/price-history.js'
import { readCsv } from '../csv.js'
import { InputError } from '../errors.js'
import { invalidValue, type ListedPrice, listedPrice, type PriceList } from './price-list.js'

const REQUIRED = ['model', 'currency'] as const
const OPTIONAL = [
  'provider',
  'valid_from',
  ...PRICE_PARTS,
  'per_request',
  'service_tier',
  'min_input_tokens',
] as const

/**
 * Reads prices from a CSV file: each line is a price, and the columns have the names of the members
 * of `price_set`, with a column for each part of `per_million`. An empty value means that none is
 * given. A line without any price withdraws the price of its key.
 *
 * @throws InputError FILE_UNREADABLE, INVALID_CSV, INVALID_VALUE: nothing of the file is used then.
 */
export async function readCsvPrices(path: string): Promise<PriceList> {
  const prices: ListedPrice[] = []
  const lines = new Map<string, number>()
  for await (const { line, get } of readCsv(path, { required: REQUIRED, optional: OPTIONAL })) {
    const text = (column: (typeof REQUIRED | typeof OPTIONAL)[number]) => get(column) || null
    const parts = PRICE_PARTS.flatMap((part) => (text(part) === null ? [] : [[part, get(part)]]))
    const price = checked(path, line, {
      provider: text('provider'),
      model: required(path, line, 'model', text('model')),
      currency: required(path, line, 'currency', text('currency')) as 'usd' | 'sats',
      valid_from: text('valid_from'),
      per_million: parts.length === 0 ? null : Object.fromEntries(parts),
      per_request: text('per_request'),
      service_tier: text('service_tier'),
      min_input_tokens: count(path, line, text('min_input_tokens')),
      source: null,
    })
    const key = `${keyOf(price.event)} ${price.isDated ? price.event.valid_from : ''}`
    const before = lines.get(key)
    if (before !== undefined) {
      throw new InputError('INVALID_VALUE', path, `the same price is on line ${before} already`, { line })
    }
    lines.set(key, line)
    prices.push(price)
  }
  if (prices.length === 0) {
    throw new InputError(
      'INVALID_CSV',
      path,
      'found no line below the header: expected a line for each price',
    )
  }
  const source = `csv ${basename(path)}`
  for (const { event } of prices) event.source = source
  return { source, isPublic: false, prices, leftOut: [], likeness: () => null }
}

function checked(path: string, line: number, terms: Parameters<typeof listedPrice>[0]): ListedPrice {
  try {
    return listedPrice(terms, line)
  } catch (error) {
    throw invalidValue(error, path, line)
  }
}

function required(path: string, line: number, column: string, text: string | null): string {
  if (text !== null) return text
  throw new InputError('INVALID_VALUE', path, `${column}: found nothing`, { line })
}

function count(path: string, line: number, text: string | null): number | null {
  if (text === null) return null
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const found = `min_input_tokens: found '${text}', expected a whole number of digits only`
  throw new InputError('INVALID_VALUE', path, found, { line })
}

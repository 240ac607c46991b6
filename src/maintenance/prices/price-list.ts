import { InvalidEventError } from '../../events/errors.js'
import type { PriceInput, PriceSet } from '../../events/event-types.js'
import { normalizeEvent } from '../../events/normalize-event.js'
import { decimalText } from '../../folds/costs/decimal.js'
import { type CsvColumns, type CsvRow, readCsv } from '../csv.js'
import { InputError } from '../errors.js'

/** A price of a list. */
export interface ListedPrice {
  /** If the price isn't dated, its `valid_from` has no meaning, and is before all others. */
  event: PriceSet
  /** Whether the list says when it takes effect. */
  isDated: boolean
  /** The line of the file that it is on; null: the list isn't a file. */
  line: number | null
}

/** A model of a list whose price can't be expressed exactly by `price_set` events. */
export interface LeftOutModel {
  provider: string | null
  model: string
  line: number | null
  /** A clause: `it is priced by audio_hours`. */
  reason: string
}

/** A model of a list that a name may mean: never used unless a person confirms it. */
export interface Likeness {
  /** The model's id in the list. */
  model: string
  /** Why the name may mean it: `begins with 'gpt-4o-2024'`. */
  rule: string
}

/** Prices from a package or a file, before they become events. */
export interface PriceList {
  /** What `source` is in events: the list's kind, a space, and which one: `genai-prices 0.1.8`. */
  source: string
  /**
   * Whether it is a list of many models that is maintained for everyone. Such a list has what is in
   * force now, and doesn't replace a price that was set in another way.
   */
  isPublic: boolean
  prices: ListedPrice[]
  leftOut: LeftOutModel[]
  /** Finds a model that a name may mean which isn't in the list itself. */
  likeness(provider: string | null, model: string): Likeness | null
}

/** The `valid_from` of a price that isn't dated. */
const UNDATED = '0001-01-01T00:00:00.000Z'

/** Never called, since prices and rates have no members with such defaults. */
export const NO_DEFAULTS = { correlationId: () => '', timestamp: () => '' }

/** The terms of a price as a list has them; `type`, and a date if it has none, are added. */
export type PriceTerms = Omit<PriceInput, 'type' | 'valid_from'> & { valid_from: string | null }

/**
 * Checks a price by the rules of `price_set` events.
 *
 * @throws InvalidEventError
 */
export function listedPrice({ valid_from, ...terms }: PriceTerms, line: number | null): ListedPrice {
  const input: PriceInput = { type: 'price_set', ...terms, valid_from: valid_from ?? UNDATED }
  return { event: normalizeEvent(input, NO_DEFAULTS) as PriceSet, isDated: valid_from !== null, line }
}

/** Sorts prices by when they take effect; those without a date come first. */
export function byStart(a: Pick<ListedPrice, 'event'>, b: Pick<ListedPrice, 'event'>): number {
  return a.event.valid_from < b.event.valid_from ? -1 : 1
}

/** Turns an InvalidEventError into one about the file; returns any other error as it is. */
export function invalidValue(error: unknown, path: string, line: number | null): unknown {
  if (!(error instanceof InvalidEventError)) return error
  const problems = error.problems.map(
    ({ field, found, expected }) => `${field}: found ${found}, expected ${expected}`,
  )
  return new InputError('INVALID_VALUE', path, problems.join('; '), { line, cause: error })
}

interface LineRules<Item> extends Pick<CsvColumns, 'required' | 'optional'> {
  /** What a line is: `price`. */
  noun: string
  /** Makes an item of a line. @throws InvalidEventError, InputError */
  read(row: CsvRow): Item
  /** No two lines may have the same key. */
  keyOf(item: Item): string
  /** What two lines with the same key have: `the same price`. */
  sameKey: string
}

/** Reads the items of a CSV file, of which each has a line. @throws InputError */
export async function readLines<Item>(path: string, rules: LineRules<Item>): Promise<Item[]> {
  const { noun, read, keyOf, sameKey, ...columns } = rules
  const items: Item[] = []
  const lines = new Map<string, number>()
  for await (const row of readCsv(path, columns)) {
    const { line } = row
    try {
      items.push(read(row))
    } catch (error) {
      throw invalidValue(error, path, line)
    }
    const key = keyOf(items.at(-1) as Item)
    const before = lines.get(key)
    if (before !== undefined) {
      throw new InputError('INVALID_VALUE', path, `${sameKey} is on line ${before} already`, { line })
    }
    lines.set(key, line)
  }
  if (items.length > 0) return items
  const found = `found no line below the header: expected a line for each ${noun}`
  throw new InputError('INVALID_CSV', path, found)
}

/** The kind of list that a source names: `genai-prices` of `genai-prices 0.1.8`. */
export function kindOf(source: string | null): string {
  return source?.split(' ', 1)[0] ?? ''
}

/**
 * Writes a number of a price list as a decimal text, with its point moved to the right. It moves
 * the point in the number's shortest text, which is the text in the list: multiplied, 1.1e-06 would
 * become 1.0999999999999999.
 *
 * @param places how far the point is moved: 6 turns the price of a token into the price of a
 *   million tokens.
 */
export function decimalOf(number: number, places = 0): string {
  if (!Number.isFinite(number)) return String(number)
  const [decimal = '', exponent = '0'] = String(number).split('e')
  const [whole = '', fraction = ''] = decimal.split('.')
  const digits = BigInt(whole + fraction)
  const decimals = fraction.length - Number(exponent) - places
  return decimals > 0 ? decimalText(digits, decimals) : String(digits * 10n ** BigInt(-decimals))
}

import { InvalidEventError } from '../../events/errors.js'
import type { PriceInput, PriceSet } from '../../events/event-types.js'
import { normalizeEvent } from '../../events/normalize-event.js'
import { InputError } from '../errors.js'

/** A price of a list. */
export interface ListedPrice {
  /** Its `valid_from` has no meaning if the price isn't dated. */
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

const DEFAULTS = { correlationId: () => '', timestamp: () => UNDATED }

/** The terms of a price as a list has them; `type`, and a date if it has none, are added. */
export type PriceTerms = Omit<PriceInput, 'type' | 'valid_from'> & { valid_from: string | null }

/**
 * Checks a price by the rules of `price_set` events.
 *
 * @throws InvalidEventError
 */
export function listedPrice({ valid_from, ...terms }: PriceTerms, line: number | null): ListedPrice {
  const input: PriceInput = { type: 'price_set', ...terms, valid_from: valid_from ?? UNDATED }
  return { event: normalizeEvent(input, DEFAULTS) as PriceSet, isDated: valid_from !== null, line }
}

/**
 * Turns an error of {@link listedPrice} into one about the file; returns any other error as it is.
 */
export function invalidValue(error: unknown, path: string, line: number | null): unknown {
  if (!(error instanceof InvalidEventError)) return error
  const problems = error.problems.map(
    ({ field, found, expected }) => `${field}: found ${found}, expected ${expected}`,
  )
  return new InputError('INVALID_VALUE', path, problems.join('; '), { line, cause: error })
}

/** The kind of list that a source names: `genai-prices` of `genai-prices 0.1.8`. */
export function kindOf(source: string | null): string {
  return source?.split(' ', 1)[0] ?? ''
}

import { InvalidArgumentError } from 'commander'
import { isDecimalText, perMillionLimits, perRequestLimits, RATE } from '../../events/price-values.js'
import { canonicalTimestamp } from '../../events/timestamp.js'
import { instantOf } from '../../queries/window/window-words.js'
import { parseTime } from '../run/options.js'
import { type Pairs, parsePair, withPair } from '../run/pairs.js'

/**
 * Parses a date, a month or another time, UTC without an offset, and returns the canonical instant
 * at which it begins.
 */
export function parseStart(text: string): string {
  const instant = instantOf(parseTime(text), 'start', Date.now())
  return (instant === null ? null : canonicalTimestamp(instant)) ?? text
}

/**
 * Refuses an empty name, which a script passes if its variable isn't set: no request would match
 * it.
 */
export function parseName(text: string): string {
  if (text !== '') return text
  throw new InvalidArgumentError('Expected a name that is not empty.')
}

export function parsePricePerMillion(text: string): string {
  if (isDecimalText(text, perMillionLimits('sats'))) return text
  throw new InvalidArgumentError(
    'Expected digits, perhaps with a point and up to 6 decimals, such as 0.15; no sign, exponent or separator.',
  )
}

export function parsePricePerRequest(text: string): string {
  if (isDecimalText(text, perRequestLimits('sats'))) return text
  throw new InvalidArgumentError(
    'Expected digits, perhaps with a point and up to 12 decimals, such as 0.005; no sign, exponent or separator.',
  )
}

export function parseRate(text: string): string {
  if (isDecimalText(text, RATE)) return text
  throw new InvalidArgumentError(
    'Expected digits above 0, perhaps with a point and up to 8 decimals, such as 67000.50; no separator.',
  )
}

/** Parses `model=listed`; the option may be repeated. */
export function parseModelPair(text: string, before: Pairs = {}): Pairs {
  return parsePair(text, before, 'Expected two names, such as gpt-4o-2024-11-20=gpt-4o.')
}

/** Parses a name, which then stands for itself, or `name=yours`; the option may be repeated. */
export function parseProvider(text: string, before: Pairs = {}): Pairs {
  if (!text.includes('=')) return withPair(before, text, text)
  return parsePair(text, before, 'Expected a name or two, such as openai=east.')
}

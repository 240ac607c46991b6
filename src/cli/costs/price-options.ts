import { isDecimalText, perMillionLimits, perRequestLimits, RATE } from '../../events/price-values.js'
import { canonicalTimestamp } from '../../events/timestamp.js'
import { instantOf } from '../../queries/window/window-words.js'
import { parseTime, textThat } from '../run/options.js'
import { type Pairs, parsePair, withPair } from '../run/pairs.js'

/** Parses a time, UTC without an offset, and returns the canonical instant at which it begins. */
export function parseStart(text: string): string {
  const instant = instantOf(parseTime(text), 'start', Date.now())
  return (instant === null ? null : canonicalTimestamp(instant)) ?? text
}

/** A script passes an empty name if its variable isn't set; no request would match it. */
export const parseName = textThat((text) => text !== '', 'Expected a name that is not empty.')

export const parsePricePerMillion = textThat(
  (text) => isDecimalText(text, perMillionLimits('sats')),
  'Expected digits, perhaps with a point and up to 6 decimals, such as 0.15; no sign, exponent or separator.',
)

export const parsePricePerRequest = textThat(
  (text) => isDecimalText(text, perRequestLimits('sats')),
  'Expected digits, perhaps with a point and up to 12 decimals, such as 0.005; no sign, exponent or separator.',
)

export const parseRate = textThat(
  (text) => isDecimalText(text, RATE),
  'Expected digits above 0, perhaps with a point and up to 8 decimals, such as 67000.50; no separator.',
)

/** Parses `model=listed`; the option may be repeated. */
export function parseModelPair(text: string, before: Pairs = {}): Pairs {
  return parsePair(text, before, 'Expected two names, such as gpt-4o-2024-11-20=gpt-4o.')
}

/** Parses a name, which then stands for itself, or `name=yours`; the option may be repeated. */
export function parseProvider(text: string, before: Pairs = {}): Pairs {
  if (!text.includes('=')) return withPair(before, text, text)
  return parsePair(text, before, 'Expected a name or two, such as openai=east.')
}

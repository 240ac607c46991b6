import { describeValue, shownText } from './describe-value.js'
import type { EventProblem } from './errors.js'
import { PRICE_PARTS } from './event-types.js'
import type { Field } from './fields.js'
import { nearestName } from './nearest-name.js'
import {
  type DecimalLimits,
  expectedDecimal,
  isDecimalText,
  perMillionLimits,
  perRequestLimits,
  RATE,
} from './price-values.js'
import { maskSecrets } from './redact.js'
import { isIdentifier, KINDS } from './value-kinds.js'

type Mask = typeof maskSecrets

/**
 * Finds every field of `input` that isn't what the table says. What is reported here is stored in
 * `rejected_lines`, where `verify` compares it: rewording or reordering it would make existing
 * databases look altered.
 */
export function findProblems(
  input: object,
  fields: Readonly<Record<string, Field>>,
  redact = maskSecrets,
): EventProblem[] {
  const value = (name: string) => (input as Record<string, unknown>)[name]
  // A `timestamp` that is a string but not a time is reported last, because that is its place in
  // the messages that are stored already.
  const comesLast = (name: string) => name === 'timestamp' && typeof value(name) === 'string'
  const named = Object.entries(fields)
  const ordered = [
    ...named.filter(([name]) => !comesLast(name)),
    ...named.filter(([name]) => comesLast(name)),
  ]
  const { currency } = input as { currency?: unknown }
  return ordered.flatMap(([name, field]) => fieldProblems(name, field, value(name), currency, redact))
}

function fieldProblems(
  name: string,
  field: Field,
  value: unknown,
  currency: unknown,
  redact: Mask,
): EventProblem[] {
  const { kind, presence } = field
  if (value === undefined && presence !== 'required') return []
  if (value === null && presence === 'nullable') return []
  if (kind === 'per_request') return decimalProblems(name, value, perRequestLimits(currency), redact)
  if (kind === 'rate') return decimalProblems(name, value, RATE, redact)
  if (KINDS[kind].isValid(value)) {
    if (kind === 'per_million') return perMillionProblems(value as object, currency, redact)
    return kind === 'labels' ? labelProblems(value as object, redact) : []
  }
  return [{ field: name, found: describeValue(value, redact), expected: expectedInstead(value, field) }]
}

/** Says what is allowed where a value of the wrong kind was found. */
function expectedInstead(value: unknown, { kind, presence }: Field): string {
  // A string that isn't a time only has the wrong form; anything else must first become a string.
  if (kind === 'timestamp' && typeof value === 'string') return KINDS.timestamp.expected
  const expected = kind === 'timestamp' ? 'a string' : KINDS[kind].expected
  return presence === 'nullable' ? `${expected} or null` : expected
}

function labelProblems(labels: object, redact: Mask): EventProblem[] {
  const problems: EventProblem[] = []
  for (const [name, value] of Object.entries(labels)) {
    if (value === undefined) continue
    const field = `labels.${JSON.stringify(shownText(name, redact)).slice(1, -1)}`
    if (!isIdentifier(name)) {
      problems.push({ field, found: 'a NUL in its name', expected: 'a name without NUL' })
    } else if (!isIdentifier(value)) {
      problems.push({ field, found: describeValue(value, redact), expected: KINDS.identifier.expected })
    }
  }
  return problems
}

function perMillionProblems(prices: object, currency: unknown, redact: Mask): EventProblem[] {
  const given = Object.entries(prices).filter(([, price]) => price !== undefined)
  if (given.length === 0) {
    return [{ field: 'per_million', found: 'no price', expected: 'a price, or null to withdraw the price' }]
  }
  const limits = perMillionLimits(currency)
  return given.flatMap(([part, price]): EventProblem[] => {
    const field = `per_million.${JSON.stringify(shownText(part, redact)).slice(1, -1)}`
    if (PRICE_PARTS.some((known) => known === part)) return decimalProblems(field, price, limits, redact)
    const nearest = nearestName(part, PRICE_PARTS)
    const hint = nearest === null ? '' : `; the nearest is ${nearest}`
    const expected = `one of ${PRICE_PARTS.join(', ')}${hint}`
    return [{ field, found: 'a member of an unknown name', expected }]
  })
}

function decimalProblems(field: string, value: unknown, limits: DecimalLimits, redact: Mask): EventProblem[] {
  if (isDecimalText(value, limits)) return []
  return [{ field, found: describeValue(value, redact), expected: expectedDecimal(value, limits) }]
}

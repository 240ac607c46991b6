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

/** The most problems that an error names, since an event may have thousands of wrong labels. */
const MAX_PROBLEMS = 20

const SHOWN_CHARACTERS = 60
/**
 * How many characters are searched for secrets: more than are shown, so that a secret that is only
 * partly shown is found too.
 */
const SEARCHED_CHARACTERS = 1024

/** One thing that is wrong with an event. */
export interface EventProblem {
  /** The field's name, `labels.team` for a label, `event` for the event as a whole. */
  field: string
  /** What was found, shortened, and without secrets. */
  found: string
  /** What is allowed there. */
  expected: string
}

/**
 * Thrown by `append`, and passed to the logger by `record`, when an event breaks the schema: a
 * required field is missing, a value has the wrong type or is out of range, the type is unknown, or
 * the line would be longer than 1 MiB. Nothing was written.
 */
export class InvalidEventError extends Error {
  readonly code = 'INVALID_EVENT'
  /** The first twenty problems. */
  readonly problems: readonly EventProblem[]

  constructor(problems: readonly EventProblem[]) {
    const named = problems.slice(0, MAX_PROBLEMS)
    const rest = problems.length > MAX_PROBLEMS ? `; and ${problems.length - MAX_PROBLEMS} more` : ''
    super(`Invalid request log event: ${named.map(describeProblem).join('; ')}${rest}`)
    this.name = 'InvalidEventError'
    this.problems = named
  }
}

function describeProblem({ field, found, expected }: EventProblem): string {
  return `${field}: found ${found}, expected ${expected}`
}

/**
 * Finds every field of `input` that isn't what the table says. These texts are stored in
 * `rejected_lines`, where `verify` compares them: rewording one would make existing databases look
 * altered.
 */
export function findProblems(
  input: object,
  fields: Readonly<Record<string, Field>>,
  redact = maskSecrets,
): EventProblem[] {
  const isWrongTime = ({ field, found }: EventProblem) => field === 'timestamp' && found.startsWith('"')
  const problems = Object.entries(fields).flatMap(([field, { kind, presence }]): EventProblem[] => {
    const value = (input as Record<string, unknown>)[field]
    if (value === undefined && presence !== 'required') return []
    if (value === null && presence === 'nullable') return []
    const { currency } = input as { currency?: unknown }
    if (kind === 'per_request') return decimalProblems(field, value, perRequestLimits(currency), redact)
    if (kind === 'rate') return decimalProblems(field, value, RATE, redact)
    if (KINDS[kind].isValid(value)) {
      if (kind === 'per_million') return perMillionProblems(value as object, currency, redact)
      return kind === 'labels' ? labelProblems(value as object, redact) : []
    }
    const isText = typeof value === 'string'
    const expected = kind === 'timestamp' && !isText ? 'a string' : KINDS[kind].expected
    const orNull = presence === 'nullable' && !(kind === 'timestamp' && isText) ? ' or null' : ''
    return [{ field, found: describeValue(value, redact), expected: `${expected}${orNull}` }]
  })
  return [...problems.filter((problem) => !isWrongTime(problem)), ...problems.filter(isWrongTime)]
}

function labelProblems(labels: object, redact: (text: string) => string): EventProblem[] {
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

function perMillionProblems(
  prices: object,
  currency: unknown,
  redact: (text: string) => string,
): EventProblem[] {
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

function decimalProblems(
  field: string,
  value: unknown,
  limits: DecimalLimits,
  redact: (text: string) => string,
): EventProblem[] {
  if (isDecimalText(value, limits)) return []
  return [{ field, found: describeValue(value, redact), expected: expectedDecimal(value, limits) }]
}

/**
 * Describes a value for an error message: its type, or the value itself, shortened and without
 * secrets.
 */
export function describeValue(value: unknown, redact = maskSecrets): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return JSON.stringify(shownText(value, redact))
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'bigint') return `${shownText(String(value), redact)}n`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return typeof value === 'object' ? describeObject(value) : `a ${typeof value}`
}

function describeObject(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return 'an object'
  const name: unknown = (value.constructor as { name?: unknown } | undefined)?.name
  return typeof name === 'string' ? `a ${shownText(name)}` : 'an instance of a class'
}

/**
 * Returns the beginning of a caller's text without secrets, since errors end up in the gateway's
 * log.
 */
export function shownText(text: string, redact = maskSecrets): string {
  const safe = redact(text.slice(0, SEARCHED_CHARACTERS))
  return safe.length <= SHOWN_CHARACTERS ? safe : `${safe.slice(0, SHOWN_CHARACTERS)}…`
}

/** Says in one line what a caller's getter or toJSON threw. */
export function describeThrown(error: unknown, redact = maskSecrets): string {
  return error instanceof Error ? shownText(error.message.split('\n')[0] ?? '', redact) : 'it threw'
}

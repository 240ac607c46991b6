import { createHash } from 'node:crypto'
import { type Currency, type PerMillion, PRICE_PARTS } from './event-types.js'
import {
  type DecimalLimits,
  decimalPattern,
  isDecimalText,
  perMillionLimits,
  perRequestLimits,
  RATE,
} from './price-values.js'
import { canonicalTimestamp } from './timestamp.js'

// The kinds of values in events: how each is checked, described, and made safe.

/** A JSON Schema, or a part of one, as plain data. */
export type JsonSchema = { [keyword: string]: unknown }

/**
 * The most bytes of UTF-8 that are kept of an error_message: it is a hint for people, never a body.
 */
export const MAX_ERROR_MESSAGE_BYTES = 4096

/** The largest integer that JSON readers in every language agree on. */
const MAX_INTEGER = Number.MAX_SAFE_INTEGER

/**
 * Refuses NUL, because SQL shells and C programs end a string there, so that two different
 * names would look the same.
 */
const WITHOUT_NUL = '^[^\\u0000]*$'
const CUT = 'cut if longer than 1 KiB of UTF-8: see "Values" in README.md'
const Identifier: JsonSchema = { type: 'string', pattern: WITHOUT_NUL }

const decimalSchema = (limits: DecimalLimits): JsonSchema => ({
  type: 'string',
  pattern: decimalPattern(limits),
})
const USD_LIMIT = `in usd at most ${perMillionLimits('usd').max}`

export type Kind = keyof typeof KINDS

interface KindOfValue {
  /**
   * Says in an error what the value must be. It is stored with rejected lines: see `findProblems`.
   */
  expected: string
  schema: JsonSchema
  /** Ends the description of each field of this kind. */
  description?: string
  isValid(value: unknown): boolean
}

/**
 * How each kind of value is checked and described. Whether null is allowed instead depends on the
 * field.
 */
export const KINDS = {
  identifier: {
    expected: 'a string without NUL',
    schema: Identifier,
    description: CUT,
    isValid: isIdentifier,
  },
  text: {
    expected: 'a string',
    schema: { type: 'string' },
    isValid: (value) => typeof value === 'string',
  },
  timestamp: {
    expected: "RFC 3339 with seconds and an offset, as '2026-11-22T19:43:00.123Z'",
    schema: { type: 'string', format: 'date-time' },
    description: 'RFC 3339 with seconds and an offset; written as UTC with milliseconds',
    isValid: (value) => typeof value === 'string' && canonicalTimestamp(value) !== null,
  },
  count: {
    expected: 'an integer from 0 to 2^53 − 1',
    schema: { type: 'integer', minimum: 0, maximum: MAX_INTEGER },
    isValid: isCount,
  },
  status: {
    expected: 'an integer within ±(2^53 − 1)',
    schema: { type: 'integer', minimum: -MAX_INTEGER, maximum: MAX_INTEGER },
    isValid: Number.isSafeInteger,
  },
  milliseconds: {
    expected: 'a number from 0 to 2^53 − 1',
    schema: { type: 'number', minimum: 0, maximum: MAX_INTEGER },
    description: 'in milliseconds, rounded to an integer',
    isValid: isMilliseconds,
  },
  cost: {
    // A caller's NaN and infinities are numbers too; they become null, since losing the whole event
    // would be worse than losing its cost.
    expected: 'a finite number',
    schema: { type: 'number' },
    isValid: (value) => typeof value === 'number',
  },
  flag: {
    expected: 'true or false',
    schema: { type: 'boolean' },
    isValid: (value) => typeof value === 'boolean',
  },
  labels: {
    expected: 'an object of strings',
    schema: {
      type: 'object',
      propertyNames: { pattern: WITHOUT_NUL },
      additionalProperties: Identifier,
    },
    description: `names and values are ${CUT}`,
    isValid: isPlainObject,
  },
  currency: {
    expected: "'usd' or 'sats'",
    schema: { enum: ['usd', 'sats'] },
    isValid: isCurrency,
  },
  per_million: {
    expected: "an object of prices, as { input: '0.15', output: '0.6' }",
    schema: {
      type: 'object',
      properties: Object.fromEntries(
        PRICE_PARTS.map((part) => [part, decimalSchema(perMillionLimits(null))]),
      ),
      minProperties: 1,
      additionalProperties: false,
    },
    description: `decimal texts, each the price of a million tokens; ${USD_LIMIT}`,
    isValid: isPlainObject,
  },
  per_request: {
    expected: 'a decimal text',
    schema: decimalSchema(perRequestLimits(null)),
    description: `a decimal text; ${USD_LIMIT}`,
    isValid: (value) => isDecimalText(value, perRequestLimits(null)),
  },
  rate: {
    expected: 'a decimal text',
    schema: decimalSchema(RATE),
    description: 'a decimal text',
    isValid: (value) => isDecimalText(value, RATE),
  },
} satisfies Record<string, KindOfValue>

/**
 * Thrown by the functions below for a value that isn't of its kind; `normalizeEvent` then finds
 * every such value.
 */
export class InvalidValue extends Error {}

// Each function below checks a value and returns it in a safe form, which stays the same when it is
// written as JSON and read again.

export function identifier(value: unknown): string {
  if (!isIdentifier(value)) throw new InvalidValue()
  return safeIdentifier(value)
}

/** The most bytes of UTF-8 in an identifier, which is a key of indexes, roll-ups and maps. */
const MAX_IDENTIFIER_BYTES = 1024

/**
 * Joins the beginning of a long identifier and the hash of the whole. It is ASCII, so that lines
 * stay ASCII.
 */
const MARK = '...sha256:'
const KEPT_BYTES = MAX_IDENTIFIER_BYTES - MARK.length - 64

/**
 * Returns an identifier (model, provider, policy, correlation_id, a label's name or value) in the
 * form that is stored and searched for. Lone surrogates become U+FFFD. An identifier of more than
 * 1 KiB of UTF-8 is cut and ends in the SHA-256 of the whole, so that different ones stay
 * different. A safe identifier stays as it is. journal/README.md specifies this for other readers.
 */
export function safeIdentifier(text: string): string {
  const whole = text.toWellFormed()
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (whole.length * 3 <= MAX_IDENTIFIER_BYTES) return whole
  const bytes = Buffer.from(whole)
  if (bytes.length <= MAX_IDENTIFIER_BYTES) return whole
  return `${utf8Prefix(bytes, KEPT_BYTES)}${MARK}${createHash('sha256').update(bytes).digest('hex')}`
}

export function identifierOrNull(value: unknown): string | null {
  return value === undefined || value === null ? null : identifier(value)
}

export function timestamp(value: unknown): string {
  const canonical = typeof value === 'string' ? canonicalTimestamp(value) : null
  if (canonical === null) throw new InvalidValue()
  return canonical
}

export function count(value: unknown): number {
  if (!isCount(value)) throw new InvalidValue()
  // + 0 turns −0 into 0, here and below.
  return value + 0
}

export function countOrNull(value: unknown): number | null {
  return value === undefined || value === null ? null : count(value)
}

export function statusOrNull(value: unknown): number | null {
  if (value === undefined || value === null) return null
  if (!Number.isSafeInteger(value)) throw new InvalidValue()
  return (value as number) + 0
}

export function milliseconds(value: unknown): number {
  if (!isMilliseconds(value)) throw new InvalidValue()
  return Math.round(value) + 0
}

export function millisecondsOrNull(value: unknown): number | null {
  return value === undefined || value === null ? null : milliseconds(value)
}

export function costOrNull(value: unknown): number | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'number') throw new InvalidValue()
  return Number.isFinite(value) ? value + 0 : null
}

export function flag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new InvalidValue()
  return value
}

export function flagOrNull(value: unknown): boolean | null {
  return value === undefined || value === null ? null : flag(value)
}

export function errorMessageOrNull(value: unknown): string | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'string') throw new InvalidValue()
  return cutErrorMessage(value.toWellFormed())
}

/** Returns the first 4 KiB of a message, cut between two characters. */
export function cutErrorMessage(text: string): string {
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (text.length * 3 <= MAX_ERROR_MESSAGE_BYTES) return text
  const bytes = Buffer.from(text)
  return bytes.length <= MAX_ERROR_MESSAGE_BYTES ? text : utf8Prefix(bytes, MAX_ERROR_MESSAGE_BYTES)
}

/** Returns the whole characters within the first `maxBytes` of a string that is longer. */
function utf8Prefix(bytes: Buffer, maxBytes: number): string {
  let end = maxBytes
  // Go back to the first byte of a character: continuation bytes are 10xxxxxx.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}

const PLAIN_MEMBER = { configurable: true, enumerable: true, writable: true }

/** Returns a copy. A label that is `undefined` counts as left out. */
export function labels(given: unknown): Record<string, string> {
  if (!isPlainObject(given)) throw new InvalidValue()
  const safe: Record<string, string> = {}
  for (const name of Object.keys(given)) {
    const value = given[name]
    if (value === undefined) continue
    const safeName = identifier(name)
    // Assigning to a key named __proto__ would set a prototype instead.
    if (name === '__proto__') Object.defineProperty(safe, name, { value: identifier(value), ...PLAIN_MEMBER })
    else safe[safeName] = identifier(value)
  }
  return safe
}

export function currency(value: unknown): Currency {
  if (!isCurrency(value)) throw new InvalidValue()
  return value
}

/** Returns a copy, in the order of `PRICE_PARTS`. A part that is `undefined` counts as left out. */
export function perMillionOrNull(given: unknown, currency: Currency): PerMillion | null {
  if (given === undefined || given === null) return null
  if (!isPlainObject(given)) throw new InvalidValue()
  const limits = perMillionLimits(currency)
  const prices: PerMillion = {}
  for (const part of PRICE_PARTS) {
    const price = given[part]
    if (price !== undefined) prices[part] = decimal(price, limits)
  }
  const found = Object.keys(given).filter((name) => given[name] !== undefined)
  if (found.length === 0 || found.length > Object.keys(prices).length) throw new InvalidValue()
  return prices
}

export function perRequestOrNull(value: unknown, currency: Currency): string | null {
  if (value === undefined || value === null) return null
  return decimal(value, perRequestLimits(currency))
}

export function rate(value: unknown): string {
  return decimal(value, RATE)
}

function decimal(value: unknown, limits: DecimalLimits): string {
  if (!isDecimalText(value, limits)) throw new InvalidValue()
  return value
}

function isCurrency(value: unknown): value is Currency {
  return value === 'usd' || value === 'sats'
}

export function isIdentifier(value: unknown): value is string {
  // indexOf, because V8 doesn't inline includes().
  return typeof value === 'string' && value.indexOf('\0') === -1
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isMilliseconds(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_INTEGER
}

/**
 * False for an array, and for a Map, which has no members and would be logged as no labels at all.
 */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

// Decides which values of prices and exchange rates are accepted, and how errors and schemas
// describe them. They are decimal texts: strings such as '0.15'.

/**
 * How large a decimal text may be, and how many decimals it may have. Prices are strings, because
 * JSON readers in many languages turn a number such as 0.15 into a slightly different one.
 */
export interface DecimalLimits {
  /** An integer. */
  max: number
  maxDecimals: number
  /** Whether it must be more than 0. */
  isPositive: boolean
}

export const RATE: DecimalLimits = { max: 1_000_000_000, maxDecimals: 8, isPositive: true }

/** @param currency an unknown one has the widest limits. */
export function perMillionLimits(currency: unknown): DecimalLimits {
  return { max: maxPrice(currency), maxDecimals: 6, isPositive: false }
}

/** @param currency an unknown one has the widest limits. */
export function perRequestLimits(currency: unknown): DecimalLimits {
  return { max: maxPrice(currency), maxDecimals: 12, isPositive: false }
}

function maxPrice(currency: unknown): number {
  return currency === 'usd' ? 1_000_000 : 1_000_000_000
}

const DECIMAL = /^([0-9]+)(?:\.([0-9]+))?$/

/** Whether a value is digits, perhaps with a point and more digits, within the limits. */
export function isDecimalText(
  value: unknown,
  { max, maxDecimals, isPositive }: DecimalLimits,
): value is string {
  const [, whole, decimals = ''] = typeof value === 'string' ? (DECIMAL.exec(value) ?? []) : []
  if (whole === undefined || decimals.length > maxDecimals) return false
  // The decimals are compared as a string, since a double doesn't hold twelve of them after 10^9.
  const hasDecimals = /[1-9]/.test(decimals)
  const isWithin = Number(whole) < max || (Number(whole) === max && !hasDecimals)
  return isWithin && (!isPositive || hasDecimals || Number(whole) > 0)
}

/** Says, for an error, what was expected instead of `found`. */
export function expectedDecimal(found: unknown, limits: DecimalLimits): string {
  const { max, maxDecimals, isPositive } = limits
  const range = isPositive ? `over 0, at most ${max}` : `from 0 to ${max}`
  const form = `a decimal text ${range}, with at most ${maxDecimals} decimals, no sign, exponent or separator`
  const text = typeof found === 'number' && found < max ? shortDecimal(found, maxDecimals) : ''
  return isDecimalText(text, limits) ? `${form}: write it as text, '${text}'` : `${form}, as '0.15'`
}

function shortDecimal(value: number, decimals: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(decimals).replace(/0+$/, '')
}

/** The pattern of decimal texts within these limits, for a JSON Schema. */
export function decimalPattern({ max, maxDecimals, isPositive }: DecimalLimits): string {
  const below = `[0-9]{1,${String(max).length - 1}}(\\.[0-9]{1,${maxDecimals}})?`
  const positive = isPositive ? '(?=.*[1-9])' : ''
  return `^${positive}0*(${below}|${max}(\\.0{1,${maxDecimals}})?)$`
}

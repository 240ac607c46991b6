/** An exact amount in billionths: numerator / denominator, with a positive denominator. */
export interface Amount {
  numerator: bigint
  denominator: bigint
}

const NANOS = 10n ** 9n

/**
 * Converts a decimal text to an integer: its value times 10^decimals.
 *
 * @param text digits, at most `decimals` of them after a point.
 */
export function scaledDecimal(text: string, decimals: number): bigint {
  const [whole = '', fraction = ''] = text.split('.')
  if (fraction.length > decimals) throw new RangeError(`${text} has more than ${decimals} decimals`)
  return BigInt(whole + fraction.padEnd(decimals, '0'))
}

/** Converts an integer back to the decimal text that {@link scaledDecimal} would take. */
export function decimalText(scaled: bigint, decimals: number): string {
  if (scaled < 0n) return `-${decimalText(-scaled, decimals)}`
  const digits = String(scaled).padStart(decimals + 1, '0')
  const fraction = digits.slice(-decimals).replace(/0+$/, '')
  return digits.slice(0, -decimals) + (fraction === '' ? '' : `.${fraction}`)
}

/** The exact value of a finite number's shortest decimal text, as JSON writes it. */
export function amountOf(number: number): Amount {
  const [decimal = '', exponent = '0'] = String(number).split('e')
  const [whole = '', fraction = ''] = decimal.split('.')
  const digits = BigInt(whole + fraction)
  const power = 9 + Number(exponent) - fraction.length
  if (power >= 0) return { numerator: digits * 10n ** BigInt(power), denominator: 1n }
  return { numerator: digits, denominator: 10n ** BigInt(-power) }
}

/** Divides by a positive number and rounds to the nearest integer, half to even. */
export function roundedQuotient(numerator: bigint, denominator: bigint): bigint {
  const size = numerator < 0n ? -numerator : numerator
  let quotient = size / denominator
  const twice = 2n * (size % denominator)
  if (twice > denominator || (twice === denominator && quotient % 2n === 1n)) quotient++
  return numerator < 0n ? -quotient : quotient
}

/**
 * Rounds to whole billionths, half to even.
 *
 * @returns the nearest number; null if the amount is too large for a number.
 */
export function roundedToBillionths(numerator: bigint, denominator: bigint): number | null {
  const number = numberOfBillionths(roundedQuotient(numerator, denominator))
  return Number.isFinite(number) ? number : null
}

/** Converts a count of billionths to the nearest number. */
export function numberOfBillionths(nanos: bigint): number {
  const number = Number(nanos)
  // `number` and 1e9 are both exact, so only the division rounds.
  if (Number.isSafeInteger(number)) return number / 1e9
  const size = nanos < 0n ? -nanos : nanos
  const decimal = Number(`${size / NANOS}.${String(size % NANOS).padStart(9, '0')}`)
  return nanos < 0n ? -decimal : decimal
}

import { decimalText, roundedQuotient } from '../../folds/costs/decimal.js'

/** How many digits after the point an amount may have: OpenAI's exports have 28. */
const DECIMALS = 30
const MAX_WHOLE_DIGITS = 15

const ONE = 10n ** BigInt(DECIMALS)
/** How many units of an exact amount make one billionth. */
const BILLIONTH = 10n ** BigInt(DECIMALS - 9)

const NUMBER = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,2}))?$/

/** Exact amounts, in units of 10⁻³⁰: of money, or a share of it. */
export type ExactAmount = bigint

/**
 * Reads an amount exactly as it is written: digits, a point, perhaps a sign and an exponent. Null
 * for anything else, including thousands separators and currency signs, for over 15 digits before
 * the point, and for digits beyond the 30th after it.
 */
export function parseAmount(text: string): ExactAmount | null {
  const [, sign, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? []
  if (sign === undefined) return null
  const decimals = fraction.replace(/0+$/, '').length - Number(exponent)
  const digits = BigInt(whole + fraction.replace(/0+$/, ''))
  if (decimals > DECIMALS) return digits === 0n ? 0n : null
  const size = digits * 10n ** BigInt(DECIMALS - decimals)
  if (size >= ONE * 10n ** BigInt(MAX_WHOLE_DIGITS)) return null
  return sign === '-' ? -size : size
}

/** How many digits after the point an amount is written with; zeros at its end count. */
export function decimalsOf(text: string): number {
  const [, , , fraction = '', exponent = '0'] = NUMBER.exec(text) ?? []
  return Math.max(0, fraction.length - Number(exponent))
}

/** Rounds an exact amount to billionths, half to even. */
export function billionthsOf(amount: ExactAmount): bigint {
  return roundedQuotient(amount, BILLIONTH)
}

/** Billionths as a decimal text without needless zeros: `12.5`, `-0.000000001`, `0`. */
export function billionthsText(billionths: bigint): string {
  return decimalText(billionths, 9)
}

import { billionthsOf, type ExactAmount, parseAmount } from './amount.js'

/** How large a difference may be. */
export interface Tolerance {
  /** Billionths of the bill's currency. */
  absolute: bigint
  /** In percent of what was billed. */
  percent: ExactAmount
}

/** The words that {@link parseTolerance} takes, for messages. */
export const TOLERANCE_WORDS = 'a percentage such as 1%, an amount such as 0.05, or both: 1%,0.05'

const ONE_PERCENT = parseAmount('100') ?? 0n

/**
 * Parses `1%`, `0.05`, or `1%,0.05`, which allows a difference that is within either. Null for
 * anything else, and for negative numbers.
 */
export function parseTolerance(words: string): Tolerance | null {
  const parts = words.split(',').map((part) => part.trim())
  const percents = parts.filter((part) => part.endsWith('%')).map((part) => part.slice(0, -1).trimEnd())
  const amounts = parts.filter((part) => !part.endsWith('%'))
  if (percents.length > 1 || amounts.length > 1) return null
  const percent = parseAmount(percents[0] ?? '0')
  const amount = parseAmount(amounts[0] ?? '0')
  if (percent === null || amount === null || percent < 0n || amount < 0n) return null
  return { percent, absolute: billionthsOf(amount) }
}

/** @param billed billionths, as the difference. */
export function isWithin({ absolute, percent }: Tolerance, difference: bigint, billed: bigint): boolean {
  const size = sizeOf(difference)
  return size <= absolute || size * ONE_PERCENT <= sizeOf(billed) * percent
}

export function sizeOf(value: bigint): bigint {
  return value < 0n ? -value : value
}

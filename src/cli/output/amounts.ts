import { roundedQuotient } from '../../folds/costs/decimal.js'
import type { Currency } from '../../folds/costs/row-cost.js'
import { billionthsOf, parseAmount } from '../../maintenance/reconcile/amount.js'
import { formatCount, UNKNOWN } from './format.js'

// Every amount of money that people read is formatted here.

/** An amount as an exact decimal text, or as a number, which counts to the billionth; null: unknown. */
export type Amount = string | number | null

const BILLIONTHS_DECIMALS = 9
const BILLION = 10n ** 9n

/** How many decimals an amount has from how many billionths on: a satoshi is worth little. */
const DECIMALS: Readonly<Record<Currency, readonly [least: bigint, decimals: number][]>> = {
  sats: [
    [BILLION, 2],
    [BILLION / 100n, 4],
  ],
  usd: [
    [1000n * BILLION, 2],
    [BILLION, 4],
    [BILLION / 1000n, 6],
  ],
}

/**
 * Makes a formatter that gives all of these amounts as many decimals as the largest one needs, so
 * that the amounts of a table are aligned. One too small for these decimals is `<0.01`, never 0.
 */
export function amountFormatter(currency: Currency, amounts: Iterable<Amount>): (amount: Amount) => string {
  let largest = 0n
  for (const amount of amounts) {
    const size = sizeOf(billionthsIn(amount ?? 0))
    if (size > largest) largest = size
  }
  const decimals = decimalsFor(currency, largest)
  return (amount) => (amount === null ? UNKNOWN : formatBillionths(billionthsIn(amount), decimals))
}

/** `1,234.50 sats`, `0.0042 usd`; `– usd` if it is unknown. */
export function amountText(currency: Currency, amount: Amount): string {
  return `${amountFormatter(currency, [amount])(amount)} ${currency}`
}

function billionthsIn(amount: string | number): bigint {
  if (typeof amount === 'string') return billionthsOf(parseAmount(amount) ?? 0n)
  // From 10^21 on toFixed writes an exponent. Such a number is a whole one.
  return Math.abs(amount) < 1e21
    ? BigInt(amount.toFixed(BILLIONTHS_DECIMALS).replace('.', ''))
    : BigInt(amount) * BILLION
}

function decimalsFor(currency: Currency, billionths: bigint): number {
  if (billionths === 0n) return 2
  return DECIMALS[currency].find(([least]) => billionths >= least)?.[1] ?? BILLIONTHS_DECIMALS
}

function formatBillionths(billionths: bigint, decimals: number): string {
  const sign = billionths < 0n ? '-' : ''
  const size = sizeOf(roundedQuotient(billionths, 10n ** BigInt(BILLIONTHS_DECIMALS - decimals)))
  const isTooSmall = size === 0n && billionths !== 0n
  const shown = isTooSmall ? 1n : size
  const unit = 10n ** BigInt(decimals)
  const fraction = String(shown % unit).padStart(decimals, '0')
  return `${sign}${isTooSmall ? '<' : ''}${formatCount(Number(shown / unit))}.${fraction}`
}

function sizeOf(billionths: bigint): bigint {
  return billionths < 0n ? -billionths : billionths
}

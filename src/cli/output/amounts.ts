import { roundedQuotient } from '../../folds/costs/decimal.js'
import { billionthsOf, parseAmount } from '../../maintenance/reconcile/amount.js'
import { formatCount, UNKNOWN } from './format.js'

const BILLIONTHS_DECIMALS = 9

/**
 * Makes a formatter that gives all of these amounts as many decimals as the largest one needs: two
 * from a thousand on, four from one on, and more below. So the amounts of a table are aligned.
 *
 * @param amounts exact decimal texts; null: unknown.
 */
export function amountFormatter(amounts: Iterable<string | null>): (amount: string | null) => string {
  let largest = 0n
  for (const amount of amounts) {
    const billionths = billionthsIn(amount ?? '0')
    const size = billionths < 0n ? -billionths : billionths
    if (size > largest) largest = size
  }
  const decimals = decimalsFor(largest)
  return (amount) => (amount === null ? UNKNOWN : formatBillionths(billionthsIn(amount), decimals))
}

function billionthsIn(text: string): bigint {
  return billionthsOf(parseAmount(text) ?? 0n)
}

function decimalsFor(billionths: bigint): number {
  if (billionths === 0n || billionths >= 10n ** 12n) return 2
  if (billionths >= 10n ** 9n) return 4
  return billionths >= 10n ** 6n ? 6 : BILLIONTHS_DECIMALS
}

function formatBillionths(billionths: bigint, decimals: number): string {
  const rounded = roundedQuotient(billionths, 10n ** BigInt(BILLIONTHS_DECIMALS - decimals))
  const size = rounded < 0n ? -rounded : rounded
  const unit = 10n ** BigInt(decimals)
  const fraction = String(size % unit).padStart(decimals, '0')
  return `${rounded < 0n ? '-' : ''}${formatCount(Number(size / unit))}.${fraction}`
}

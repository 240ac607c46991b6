import fc from 'fast-check'
import { expect, test } from 'vitest'
import { billionthsOf, billionthsText, parseAmount } from '../../../src/maintenance/reconcile/amount.js'
import { isWithin, parseTolerance } from '../../../src/maintenance/reconcile/tolerance.js'

const textOf = (text: string) => {
  const amount = parseAmount(text)
  return amount === null ? null : billionthsText(billionthsOf(amount))
}

test.each([
  ['0', '0'],
  ['-0.0', '0'],
  ['1234.50', '1234.5'],
  ['+1', '1'],
  ['-0.25', '-0.25'],
  ['0.003835980000000000000000000000', '0.00383598'],
  ['1.5e-7', '0.00000015'],
  ['2E3', '2000'],
  // One rounding, half to even.
  ['0.0000000005', '0'],
  ['0.0000000015', '0.000000002'],
  ['-0.0000000015', '-0.000000002'],
  ['0.00000000050000000000000000001', '0.000000001'],
  ['999999999999999', '999999999999999'],
])('%s is read as %s', (text, expected) => {
  expect(textOf(text)).toBe(expected)
})

test.each(['', '1,234.50', '1 234', "1'234", '$1.25', '1.25 USD', '1.', '.5', '0x10', 'NaN', '1e', '1e999'])(
  'refuses %j',
  (text) => {
    expect(parseAmount(text)).toBeNull()
  },
)

test.each(['1000000000000000', '1e15', `0.${'0'.repeat(30)}1`])('refuses %s, beyond its digits', (text) => {
  expect(parseAmount(text)).toBeNull()
})

test('any billionths are the same after they were written and read', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 23n), max: 10n ** 23n }), (billionths) => {
      expect(billionthsOf(parseAmount(billionthsText(billionths)) as bigint)).toBe(billionths)
    }),
  )
})

test('the sum of many small amounts is exact', () => {
  const tenth = parseAmount('0.1') as bigint
  expect(billionthsText(billionthsOf(tenth * 3n))).toBe('0.3')
})

test('a difference is small enough if it is within the percentage or the amount', () => {
  const within = (words: string, difference: bigint, billed: bigint) => {
    const tolerance = parseTolerance(words)
    if (tolerance === null) throw new Error(words)
    return isWithin(tolerance, difference, billed)
  }
  expect(within('1%', 10n, 1000n)).toBe(true)
  expect(within('1%', -10n, 1000n)).toBe(true)
  expect(within('1%', 11n, 1000n)).toBe(false)
  expect(within('1%', 1n, 0n)).toBe(false)
  expect(within('0', 0n, 0n)).toBe(true)
  expect(within('0', 1n, 10n ** 12n)).toBe(false)
  expect(within('0.000000005', 5n, 0n)).toBe(true)
  expect(within('0.000000005', 6n, 0n)).toBe(false)
  expect(within('1%, 0.000000020', 20n, 1000n)).toBe(true)
  expect(within('0.000000001,1 %', 10n, 1000n)).toBe(true)
})

test.each(['', '%', 'x', '-1%', '1%,2%', '1,2', '1%,', '1 000'])('%j is no tolerance', (words) => {
  expect(parseTolerance(words)).toBeNull()
})

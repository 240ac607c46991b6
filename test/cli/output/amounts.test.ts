import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Amount, amountFormatter, amountText } from '../../../src/cli/output/amounts.js'

const column = (currency: 'sats' | 'usd', amounts: Amount[]) =>
  amounts.map(amountFormatter(currency, amounts))

test('the amounts of a column have the decimals that its largest one needs', () => {
  expect(column('usd', [1234.5, -2, 0, null])).toEqual(['1,234.50', '-2.00', '0.00', '–'])
  expect(column('usd', ['12.5', '0.25'])).toEqual(['12.5000', '0.2500'])
  expect(column('usd', [0.0123, 0.000045])).toEqual(['0.012300', '0.000045'])
  expect(column('usd', [0.000045])).toEqual(['0.000045000'])
  expect(column('sats', [1234.5, 7])).toEqual(['1,234.50', '7.00'])
  expect(column('sats', [0.5, 0.25])).toEqual(['0.5000', '0.2500'])
  expect(column('sats', [0, null])).toEqual(['0.00', '–'])
})

test('an amount that is too small for the decimals of its column is not shown as 0', () => {
  expect(column('usd', [5000, 0.0042, -0.001, 0.005])).toEqual(['5,000.00', '<0.01', '-<0.01', '<0.01'])
  expect(column('sats', [12, 0.0042])).toEqual(['12.00', '<0.01'])
})

test('an amount alone names its currency', () => {
  expect(amountText('usd', 0.1 + 0.2)).toBe('0.300000 usd')
  expect(amountText('sats', 1e21)).toBe('1,000,000,000,000,000,000,000.00 sats')
  expect(amountText('usd', null)).toBe('– usd')
})

test('what is shown is within half of its last decimal, and unknown only for what is unknown', () => {
  const amount = fc.option(fc.double({ min: -1e7, max: 1e7, noNaN: true }), { nil: null })
  fc.assert(
    fc.property(fc.array(amount, { minLength: 1 }), fc.constantFrom('sats', 'usd'), (amounts, currency) => {
      const texts = column(currency, amounts)
      const decimals = new Set(texts.filter((text) => text !== '–').map((text) => text.split('.')[1]?.length))
      expect(decimals.size).toBeLessThanOrEqual(1)
      const unit = 10 ** -([...decimals][0] ?? 2)
      for (const [index, text] of texts.entries()) {
        const exact = amounts[index] ?? null
        expect(text === '–').toBe(exact === null)
        if (exact === null) continue
        const shown = Number(text.replace(/[,<]/g, ''))
        const bound = text.includes('<') ? unit : unit / 2
        expect(Math.abs(shown - exact)).toBeLessThanOrEqual(bound + 1e-9)
      }
    }),
  )
})

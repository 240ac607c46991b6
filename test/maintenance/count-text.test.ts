import fc from 'fast-check'
import { expect, test } from 'vitest'
import { wholeNumber } from '../../src/maintenance/count-text.js'

test('wholeNumber writes what Intl.NumberFormat does', () => {
  const format = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
  const counts = fc.oneof(fc.integer({ min: -10_000, max: 10_000 }), fc.maxSafeInteger(), fc.constant(0.4))
  fc.assert(
    fc.property(counts, (count) => {
      // Intl gives negative zero a sign.
      expect(wholeNumber(count)).toBe(format.format(count + 0))
    }),
  )
  expect(wholeNumber(999.5)).toBe('1,000')
  expect(wholeNumber(1e20)).toBe('100,000,000,000,000,000,000')
  expect(wholeNumber(-2e21)).toBe('-2,000,000,000,000,000,000,000')
})

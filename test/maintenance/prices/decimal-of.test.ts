import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decimalOf } from '../../../src/maintenance/prices/price-list.js'

test.each([
  [1.5e-7, 6, '0.15'],
  [1.1e-6, 6, '1.1'],
  [3e-6, 6, '3'],
  [0.000015, 6, '15'],
  [2.5e-8, 6, '0.025'],
  [7.25e-9, 6, '0.00725'],
  [0, 6, '0'],
  [0.1, 0, '0.1'],
  [12, -3, '0.012'],
  [1200, -3, '1.2'],
  [1e21, 0, '1000000000000000000000'],
  [1.25e22, 6, '12500000000000000000000000000'],
  [5e-324, 6, `0.${'0'.repeat(317)}5`],
])('%s with the point %s places to the right is %s', (number, places, text) => {
  expect(decimalOf(number, places)).toBe(text)
})

test('without moving the point the text is the same number', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), (number) => {
      expect(Number(decimalOf(number))).toBe(number)
      expect(decimalOf(number)).toMatch(/^(0|[1-9]\d*)(\.\d*[1-9])?$/)
    }),
  )
})

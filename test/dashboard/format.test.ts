import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { visible as visibleInTerminal } from '../../src/cli/output/terminal.js'
import { visible } from '../../src/server/dashboard/page/dom.js'
import * as format from '../../src/server/dashboard/page/format.js'

describe('sats show the digits that matter', () => {
  test.for([
    [null, '–'],
    [0, '0'],
    [0.0042, '0.0042'],
    [0.5, '0.5'],
    [0.000_000_12, '1.2e-7'],
    [1, '1.00'],
    [4.517, '4.52'],
    [9.999, '10.0'],
    [13.1, '13.1'],
    [412.7, '413'],
    [999.7, '1,000'],
    [1234.4, '1,234'],
    [9999.4, '9,999'],
    [9999.6, '10.0 k'],
    [12_345, '12.3 k'],
    [999_950, '1.00 M'],
    [-13.1, '-13.1'],
    [4.5e15, '4.50 P'],
  ] as const)('%j is %s', ([sats, text]) => {
    expect(format.formatSats(sats)).toBe(text)
  })
})

test.for([
  [null, '–'],
  [0, '0 ms'],
  [812, '812 ms'],
  [999.6, '1.00 s'],
  [2140, '2.14 s'],
  [12_340, '12.3 s'],
  [59_960, '1 min 0 s'],
  [125_000, '2 min 5 s'],
  [7_260_000, '2 h 1 min'],
] as const)('%j ms is %s', ([ms, text]) => {
  expect(format.formatMs(ms)).toBe(text)
})

test('a share of more than nothing is never 0.0 %, and one of nothing is unknown', () => {
  expect(format.formatShare(0, 0)).toBe('–')
  expect(format.formatShare(0, 10)).toBe('0.0 %')
  expect(format.formatShare(1, 100_000)).toBe('< 0.1 %')
  expect(format.formatShare(564, 28_185)).toBe('2.0 %')
})

test('times are in UTC, and another year is named', () => {
  const year = new Date().getUTCFullYear()
  expect(format.formatSpan(`${year}-11-25T08:42:10.000Z`, `${year}-11-25T09:42:10.000Z`)).toBe(
    'Nov 25 08:42 – 09:42 UTC',
  )
  expect(format.formatSpan('2003-11-25T08:42:10.000Z', '2003-12-01T00:00:00.000Z')).toBe(
    'Nov 25, 2003 08:42 – Dec 1, 2003 00:00 UTC',
  )
})

test('what hides or reorders text is escaped as on a terminal', () => {
  expect(visible('gpt-\u202e4o\u2066\n – größe 漢字')).toBe('gpt-\\u202e4o\\u2066\\n – größe 漢字')
  const text = fc.string({
    unit: fc.constantFrom('a', 'é', '\u202e', '\u200b', '\r', '\ud800', '\u{e0041}', '🙂'),
  })
  fc.assert(fc.property(text, (text) => visible(text) === visibleInTerminal(text)))
})

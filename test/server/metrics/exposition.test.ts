import { expect, test } from 'vitest'
import { exactDecimal, formatExposition, type MetricFamily } from '../../../src/server/metrics/exposition.js'
import { parseExposition, seriesKey } from './exposition-parser.js'
import { hasPromtool, promtool } from './promtool.js'

const family = (fields: Partial<MetricFamily> = {}): MetricFamily => ({
  name: 'things',
  type: 'gauge',
  help: 'Things.',
  samples: [{ value: 1 }],
  ...fields,
})

test('a family is HELP, TYPE and a line for each sample', () => {
  const page = formatExposition([
    family({ name: 'things_total', type: 'counter', samples: [{ labels: { a: 'x', b: 'y' }, value: 12n }] }),
    family({ samples: [{ value: 0.5 }] }),
  ])
  expect(page).toBe(
    '# HELP things_total Things.\n# TYPE things_total counter\nthings_total{a="x",b="y"} 12\n' +
      '# HELP things Things.\n# TYPE things gauge\nthings 0.5\n',
  )
})

test('a family without samples is left out', () => {
  expect(formatExposition([family({ samples: [] })])).toBe('')
})

const HOSTILE = [
  'plain',
  '',
  'back\\slash',
  '"quoted"',
  'new\nline',
  '\\n',
  '\\"',
  'ends with \\',
  '{a="b"} 1',
  'tab\tand\rreturn',
  '# HELP x y',
  '日本語 🦀',
  'a\0b',
  '\u2028\u0085\u001b[31m',
]

test('any value of a label can be read back', () => {
  const samples = HOSTILE.map((value) => ({ labels: { model: value }, value: 1 }))
  const page = parseExposition(formatExposition([family({ samples })]))
  expect([...page.samples.keys()]).toEqual(HOSTILE.map((model) => seriesKey('things', { model })))
})

test.skipIf(!hasPromtool)('promtool reads all of them', () => {
  const samples = HOSTILE.map((model) => ({ labels: { model }, value: 1 }))
  const help = 'Back\\slash, "quotes" and\nnew lines.'
  expect(promtool(['check', 'metrics'], formatExposition([family({ help, samples })]))).toEqual({
    status: 0,
    output: '',
  })
})

test.each([
  [0n, 3, '0'],
  [50n, 3, '0.05'],
  [1000n, 3, '1'],
  [120_000n, 3, '120'],
  [1n, 9, '0.000000001'],
  [9_007_199_254_740_993_123_456_789n, 9, '9007199254740993.123456789'],
  [-1_500n, 3, '-1.5'],
  [-5n, 3, '-0.005'],
])('%s with %s digits after the point is %s', (units, digits, text) => {
  expect(exactDecimal(units, digits)).toBe(text)
})

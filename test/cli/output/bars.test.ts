import { expect, test } from 'vitest'
import { bar, sparkline } from '../../../src/cli/output/bars.js'

test.for([
  [0, ''],
  [0.001, '▏'],
  [0.5, '██'],
  [0.6, '██▍'],
  [1, '████'],
  [7, '████'],
])('a bar of %d', ([share, text]) => {
  expect(bar(Number(share), 4)).toBe(text)
})

test.for<[number[], number, string]>([
  [[], 5, ''],
  [[0, 0], 5, '  '],
  [[1, 0, 8, 4], 5, '▁ █▄'],
  [[1, 1, 2, 2, 4], 3, '▄██'],
])('a sparkline of %j in %d columns', ([values, width, text]) => {
  expect(sparkline(values, width)).toBe(text)
})

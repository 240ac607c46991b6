import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { describeDelta } from '../../src/server/dashboard/figures/tiles.js'
import { compareEntries } from '../../src/server/dashboard/requests/entry-order.js'
import { indent } from '../../src/server/dashboard/requests/journal-line.js'

describe('against the window before', () => {
  test.for([
    [112, 100, '▲ 12.0 %', ''],
    [50, 100, '▼ 50.0 %', ''],
    [100, 100, '= same', ''],
    [3, 0, '▲', ''],
    [0, 0, '', ''],
    [1_000_001, 1_000_000, '▲ < 0.1 %', ''],
    [50_000, 1000, '▲ × 50', ''],
    [null, 100, '', ''],
    [null, null, '', ''],
    [100, null, '', ''],
  ] as const)('%j after %j is %s', ([now, before, text, tone]) => {
    expect(describeDelta(now, before, {})).toMatchObject({ text, tone })
  })

  test('more failures are bad news, fewer good', () => {
    expect(describeDelta(2, 1, { isBadWhenMore: true }).tone).toBe('is-bad')
    expect(describeDelta(1, 2, { isBadWhenMore: true }).tone).toBe('is-good')
  })
})

describe('a journal line, indented', () => {
  test('means what it meant, and keeps every digit', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const line = JSON.stringify(value)
        expect(JSON.parse(indent(line) ?? '')).toEqual(JSON.parse(line))
      }),
    )
    expect(indent('{"a":0.47700000000000004,"b":12345678901234567890,"c":{},"d":[1,"{,:"]}')).toBe(
      '{\n  "a": 0.47700000000000004,\n  "b": 12345678901234567890,\n  "c": {},\n  "d": [\n    1,\n    "{,:"\n  ]\n}',
    )
  })

  test('what isn’t JSON is left as it is', () => {
    expect(indent('{"type":"request_logged","mod')).toBe(null)
  })
})

test('entries are ordered as the server orders them: unknown costs smallest, ties by id', () => {
  const entry = (id: number, sats: number | null) => ({
    id,
    timestamp: '2026-11-25T08:00:00.000Z',
    model: 'm',
    streaming: false,
    success: true,
    tokens: { input: null, output: null },
    cost: { sats },
    timing: { latency_ms: 1 },
  })
  const entries = [entry(1, 5), entry(2, null), entry(3, 0), entry(4, 5)]
  const idsBy = (sort: 'timestamp' | 'cost_sats', order: 'asc' | 'desc') =>
    [...entries].sort((a, b) => compareEntries(a, b, { sort, order })).map(({ id }) => id)
  expect(idsBy('cost_sats', 'desc')).toEqual([4, 1, 3, 2])
  expect(idsBy('cost_sats', 'asc')).toEqual([2, 3, 1, 4])
  expect(idsBy('timestamp', 'desc')).toEqual([4, 3, 2, 1])
})

import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { PERCENTILE_ERROR } from '../../../src/folds/sums/latencies.js'
import { type SeriesBucket, series, stats } from '../../../src/queries/index.js'
import { runs } from '../../support/runs.js'
import { rows } from '../arbitrary-rows.js'
import { costOf, groupOf, matches, NOW, percentileOf, type ReferenceRow, sectionOf } from '../reference.js'
import { fill, insert, test } from '../support.js'

const PARTS = ['cache_read_input_tokens', 'cache_creation_input_tokens', 'reasoning_output_tokens'] as const
const PREFIX = { minute: 16, hour: 13, day: 10 } as const

test('each bucket has what the rows of its time say, from roll-ups and from rows alike', ({ database }) => {
  const bound = fc.constantFrom(
    '2026-11-20T00:00:00.000Z',
    '2026-11-20T09:30:59.999Z',
    '2026-11-21T22:00:00.001Z',
    '2026-11-22T23:59:59.999Z',
  )
  const bucket = fc.constantFrom<SeriesBucket[]>('minute', 'hour', 'day')
  fc.assert(
    fc.property(
      rows,
      bound,
      bound,
      bucket,
      fc.constantFrom('model', 'provider', 'policy', 'service_tier'),
      (all, since, until, size, by) => {
        fill(database, all)
        const answer = series(database, {
          since,
          until,
          bucket: size,
          by,
          unknown: true,
          now: NOW,
        })
        const inWindow = all.filter((row) => matches(row, { since, until }))
        const names = new Set(inWindow.map((row) => groupOf(row, by, all)))
        const lists = new Map<string, ArrayLike<unknown>>(Object.entries({ ...answer }) as never)
        const listsByName = [
          answer.cost_sats,
          answer.cost_usd,
          answer.unpriced_by_name,
          answer.unpriced_usd_by_name,
          answer.requests_by_name,
        ].map((lists) => new Map<string, number[]>(Object.entries(lists ?? {})))
        const byBucket = new Map<string, ReferenceRow[]>()
        for (const row of inWindow) {
          const key = row.timestamp.slice(0, PREFIX[size])
          byBucket.set(key, [...(byBucket.get(key) ?? []), row])
        }
        for (const [index, time] of answer.times.entries()) {
          const inBucket = byBucket.get(time.slice(0, PREFIX[size])) ?? []
          const { counts, costs } = sectionOf(inBucket)
          const { total: _, success: __, error: ___, streaming: ____, ...listed } = counts
          const expected: Record<string, number> = {
            requests: inBucket.length,
            failures: inBucket.filter((row) => row.success === 0).length,
            input_tokens: inBucket.reduce((sum, row) => sum + (row.input_tokens ?? 0), 0),
            output_tokens: inBucket.reduce((sum, row) => sum + (row.output_tokens ?? 0), 0),
            ...listed,
            ...Object.fromEntries(PARTS.map((part) => [part, costs[`total_${part}`]])),
          }
          // One comparison a bucket: most of the time went into thousands of them.
          const found = Object.keys(expected).map((name) => [name, lists.get(name)?.[index]])
          expect(Object.fromEntries(found)).toEqual(expected)
          const median = percentileOf(inBucket, 0.5)
          if (median === null) expect(answer.p50_latency_ms[index]).toBeNull()
          else
            expect(Math.abs((answer.p50_latency_ms[index] ?? Number.NaN) - median)).toBeLessThanOrEqual(
              median * PERCENTILE_ERROR,
            )
          const ofNames = [...names].map((name) => {
            const ofName = inBucket.filter((row) => groupOf(row, by, all) === name)
            return [
              name,
              costOf(ofName),
              sectionOf(ofName).costs.total_cost_usd,
              ofName.filter((row) => row.cost_sats === null).length,
              ofName.filter((row) => row.cost_usd === null).length,
              ofName.length,
            ]
          })
          const answered = [...names].map((name) => [
            name,
            ...listsByName.map((lists) => lists.get(name)?.[index]),
          ])
          expect(answered).toEqual(ofNames)
        }
        expect(new Set(Object.keys(answer.cost_sats))).toEqual(names)
        expect(Object.keys(answer.cost_usd ?? {})).toEqual(Object.keys(answer.cost_sats))
      },
    ),
    runs(12),
  )
})

test('every bucket of the window is there, the first and the last cut by it', ({ database }) => {
  insert(
    database,
    { timestamp: '2026-11-22T09:10:00.000Z', cost_sats: 5 },
    { timestamp: '2026-11-22T09:40:00.000Z', cost_sats: 1, provider: 'p', success: 0 },
    { timestamp: '2026-11-22T12:00:00.000Z', latency_ms: 7, input_tokens: 3 },
    { timestamp: '2026-11-22T12:00:00.001Z' },
  )
  const window = { since: '2026-11-22T09:30:00.000Z', until: '2026-11-22T12:00:00.000Z' }
  expect(series(database, { ...window, bucket: 'hour', by: 'provider' })).toEqual({
    ...window,
    bucket: 'hour',
    by: 'provider',
    times: ['09', '10', '11', '12'].map((hour) => `2026-11-22T${hour}:00:00.000Z`),
    requests: [1, 0, 0, 1],
    failures: [1, 0, 0, 0],
    unpriced: [0, 0, 0, 1],
    input_tokens: [0, 0, 0, 3],
    output_tokens: [0, 0, 0, 0],
    p50_latency_ms: [100.5, null, null, 7],
    p95_latency_ms: [100.5, null, null, 7],
    p99_latency_ms: [100.5, null, null, 7],
    unknown_group: 'unknown',
    cost_sats: { p: [1, 0, 0, 0], unknown: [0, 0, 0, 0] },
  })
})

test('eight names by cost, and the rest as one with their number; a ninth alone is no rest', ({
  database,
}) => {
  insert(database, ...Array.from({ length: 9 }, (_, i) => ({ model: `m${i + 1}`, cost_sats: i + 1 })))
  const window = { since: '2026-11-22T10:00:00.000Z', until: '2026-11-22T10:00:30.000Z' }
  const named = Object.fromEntries([9, 8, 7, 6, 5, 4, 3, 2].map((i) => [`m${i}`, [i]]))
  const nine = series(database, window)
  expect(nine.cost_sats).toEqual({ ...named, m1: [1] })
  expect(nine).not.toHaveProperty('other_groups')
  expect(series(database, { ...window, limit: 8 })).toMatchObject({ other_groups: 1 })
  insert(database, { model: 'm0', cost_sats: 0 })
  const ten = series(database, window)
  expect(ten.cost_sats).toEqual({ ...named, other: [1] })
  expect(ten.other_groups).toBe(2)
  const dearest = stats(database, { ...window, groupBy: 'model', limit: 1, rank: 'cost' })
  expect(dearest.models).toHaveProperty('m9')
  expect(dearest.other_groups).toBe(9)
})

test('refunds have a name of their own where they are among the largest amounts', ({ database }) => {
  insert(database, { model: 'refund', cost_sats: -50 }, { model: 'free', cost_sats: 0 })
  insert(database, ...Array.from({ length: 8 }, (_, i) => ({ model: `m${i}`, cost_sats: i + 1 })))
  const { cost_sats } = series(database, {
    since: '2026-11-22T10:00:00.000Z',
    until: '2026-11-22T10:00:30.000Z',
  })
  expect(Object.entries(cost_sats).at(0)).toEqual(['refund', [-50]])
  expect(cost_sats['other']).toEqual([1])
})

describe('the bucket', () => {
  test.for([
    ['2026-11-22T13:00:00.000Z', 'minute'],
    ['2026-11-22T13:00:00.001Z', 'hour'],
    ['2026-12-02T10:00:00.000Z', 'hour'],
    ['2026-12-02T10:00:00.001Z', 'day'],
  ])('until %s is a %s', ([until = '', bucket], { database }) => {
    expect(series(database, { since: '2026-11-22T10:00:00.000Z', until }).bucket).toBe(bucket)
  })

  test('a window that begins after its end has none', ({ database }) => {
    const window = { since: '2026-11-23T00:00:00.000Z', until: '2026-11-22T00:00:00.000Z' }
    expect(series(database, window)).toMatchObject({ times: [], requests: [], cost_sats: {} })
  })

  test('more than 10,000 are refused, and so is what is none', ({ database }) => {
    const window = { since: '2026-01-01T00:00:00Z', until: '2026-02-01T00:00:00Z' }
    expect(() => series(database, { ...window, bucket: 'minute' })).toThrow(
      expect.objectContaining({ code: 'INVALID_BUCKET', message: expect.stringContaining('44641') }),
    )
    const week = 'week' as SeriesBucket
    expect(() => series(database, { ...window, bucket: week })).toThrow(/Invalid bucket 'week'/)
    expect(() => series(database, { ...window, by: 'hour' as 'model' })).toThrow(
      /Invalid by 'hour'. Valid options: model, tier, .*label:<name>/,
    )
  })
})

import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { series, stats } from '../../../src/queries/index.js'
import {
  groupByLabel,
  groupByName,
  groupByPolicy,
  namesOfGroups,
} from '../../../src/queries/sums/grouping.js'
import { type Rank, readFirst, topGroups } from '../../../src/queries/sums/top-groups.js'
import { inCurrency } from '../../../src/queries/window/value-filters.js'
import { runs } from '../../support/runs.js'
import { filter, rows } from '../arbitrary-rows.js'
import { matches } from '../reference.js'
import { fill, insert, type Row, test } from '../support.js'

const EVERYTHING = { since: '2026-11-20T00:00:00Z', until: '2026-11-23T00:00:00Z' }

describe('with a limit', () => {
  const spread: Row[] = ['a', 'a', 'a', 'b', 'b', 'c', 'd'].map((model) => ({ model, cost_sats: 1 }))

  test('the groups with most requests are told apart, and the rest is one', ({ database }) => {
    insert(database, ...spread, { model: 'A', latency_ms: 900 })
    const answer = stats(database, { groupBy: 'model', limit: 2, percentiles: true })
    expect(Object.entries(answer.models ?? {}).map(([name, { counts }]) => [name, counts.total])).toEqual([
      ['a', 4],
      ['b', 2],
    ])
    expect(answer.other).toMatchObject({ counts: { total: 2 }, performance: { p99_latency_ms: 100.5 } })
    expect(answer.counts.total).toBe(8)
    expect(stats(database, { groupBy: 'model', limit: 4 })).not.toHaveProperty('other')
  })

  test('the whole is about one model while groups are about all', ({ database }) => {
    insert(database, ...spread)
    const answer = stats(database, { groupBy: 'model', model: 'd', limit: 1 })
    expect(answer).toMatchObject({ counts: { total: 1 }, models: { a: { counts: { total: 3 } } } })
    expect(answer.other?.counts.total).toBe(4)
  })

  test('hours are those with most requests, in order', ({ database }) => {
    for (const hour of [3, 1, 2, 1, 3, 3]) insert(database, { timestamp: `2026-11-22T0${hour}:00:00.000Z` })
    const answer = stats(database, { groupBy: 'hour', limit: 2 })
    expect(Object.keys(answer.hours ?? {})).toEqual(['2026-11-22T01:00:00.000Z', '2026-11-22T03:00:00.000Z'])
    expect(answer.other?.counts.total).toBe(1)
  })

  test('a series has the names with most requests, and without one those that cost most', ({ database }) => {
    insert(database, ...spread, { model: 'dear', cost_sats: 100 })
    const limited = series(database, { ...EVERYTHING, bucket: 'day', limit: 2 })
    expect(limited.cost_sats).toEqual({ a: [0, 0, 3, 0], b: [0, 0, 2, 0], other: [0, 0, 102, 0] })
    expect(Object.keys(series(database, { ...EVERYTHING, bucket: 'day' }).cost_sats)[0]).toBe('dear')
  })
})

test('of as many requests, those without a name come before those with an empty one', ({ database }) => {
  insert(database, { provider: '' }, { provider: null })
  const grouping = groupByName(database, 'provider')
  const question = { filter: {}, grouping }
  for (const read of [topGroups, readFirst]) {
    expect([...read(database, question, 1, 'requests').groups.keys()]).toEqual(['\0'])
  }
})

test('the first groups are the same whether all are held or only these', ({ database }) => {
  const groupings = [groupByName(database, 'model'), groupByName(database, 'provider'), groupByPolicy]
  fc.assert(
    fc.property(
      rows,
      fc.double({ min: 0, max: 1, noNaN: true }),
      filter,
      fc.nat(4),
      fc.constantFrom<Rank>('requests', 'sats', 'usd'),
      fc.integer({ min: 1, max: 3 }),
      (all, share, asked, place, rank, limit) => {
        const counted = Math.round(share * all.length)
        fill(database, all, counted)
        const labels = [groupByLabel(database, 'tier'), groupByLabel(database, 'team')]
        const grouping = [...groupings, ...labels][place] ?? groupByPolicy
        // Every question names the currency of its least cost before it gets here.
        const minCost = inCurrency(asked.minCost, () => asked.currency ?? 'sats')
        const question = { filter: { ...asked, minCost }, grouping, latencies: true, unknown: true }
        const held = topGroups(database, question, limit, rank)
        const read = readFirst(database, question, limit, rank)
        // Costs that differ by less than a floating-point number can tell are in either order.
        if (rank === 'requests') expect([...read.groups.keys()]).toEqual([...held.groups.keys()])
        const requests = all.slice(0, counted).filter((row) => matches(row, asked)).length
        const total = [...read.groups.values(), read.others].reduce(
          (sum, tally) => sum + (tally?.requests ?? 0),
          0,
        )
        expect(total).toBe(requests)
        for (const [key, tally] of read.groups) {
          expect(tally.requests).toBe(
            topGroups(database, question, undefined, rank).groups.get(key)?.requests,
          )
          expect(tally.latencies.percentile(0.5)).not.toBeNull()
        }
        expect(namesOfGroups(database, grouping, read.groups.keys()).size).toBe(read.groups.size)
      },
    ),
    runs(100),
  )
})

describe('many names', () => {
  const COUNT = 20_001
  const names = Array.from({ length: COUNT }, (_, index) => ({
    model: `model-${index}`,
    cost_sats: index,
    timestamp: '2026-11-22T10:00:00.000Z',
    correlation_id: 'c',
    latency_ms: 1,
    success: 1,
  }))

  test('are refused without a limit, answered with one or as a series, and end at a deadline', ({
    database,
  }) => {
    fill(database, names)
    const refused = { code: 'TOO_MANY_GROUPS', message: 'over 20,000 groups: ask with limit= or a filter' }
    expect(() => stats(database, { groupBy: 'model' })).toThrow(expect.objectContaining(refused))
    expect(stats(database, { groupBy: 'model', limit: 1 })).toMatchObject({
      models: { 'model-0': { counts: { total: 1 } } },
      other: { counts: { total: COUNT - 1 } },
    })
    const dearest = Array.from({ length: 8 }, (_, index) => `model-${COUNT - 1 - index}`)
    const costs = series(database, { ...EVERYTHING, bucket: 'day' }).cost_sats
    expect(Object.keys(costs)).toEqual([...dearest, 'other'])

    // Whether rows or roll-ups are read.
    const over = { deadline: performance.now() - 1 }
    const timedOut = expect.objectContaining({ code: 'TIMED_OUT' })
    expect(() => stats(database, { ...over, groupBy: 'model', limit: 1 })).toThrow(timedOut)
    expect(() => stats(database, { ...over, success: true })).toThrow(timedOut)
    expect(() => series(database, { ...EVERYTHING, ...over })).toThrow(timedOut)
    expect(stats(database, { deadline: performance.now() + 60_000, success: true }).counts.total).toBe(COUNT)
  })
})

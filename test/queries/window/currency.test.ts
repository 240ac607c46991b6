import fc from 'fast-check'
import { describe, expect } from 'vitest'
import {
  type Currency,
  type ListRequestsOptions,
  listRequests,
  newRequests,
  type RequestCursorPage,
  series,
  stats,
} from '../../../src/queries/index.js'
import { groupByName } from '../../../src/queries/sums/grouping.js'
import { readFirst } from '../../../src/queries/sums/top-groups.js'
import type { Database } from '../../../src/store/sqlite/connection/database.js'
import { runs } from '../../support/runs.js'
import { rows } from '../arbitrary-rows.js'
import { matches, NOW, type ReferenceRow, sectionOf } from '../reference.js'
import { fill, insert, test } from '../support.js'

const currency = fc.constantFrom<Currency>('sats', 'usd')
const other = { sats: 'usd', usd: 'sats' } as const
const ALL_TIME = { since: '0001-01-01T00:00:00.000Z' }

/** The rows with every cost of a currency changed. */
function withOther(all: readonly ReferenceRow[], asked: Currency, cost: number | null): ReferenceRow[] {
  return all.map((row) => ({ ...row, [`cost_${other[asked]}`]: cost }))
}

/** All that an answer says about a currency. */
function about(database: Database, asked: Currency) {
  const options = { currency: asked, now: NOW }
  const ofStats = stats(database, { ...options, groupBy: 'provider' })
  const sections = [ofStats, ...Object.values(ofStats.providers ?? {})].map(({ counts, costs }) =>
    asked === 'sats'
      ? [costs.total_cost_sats, counts.unpriced, counts.unpriced_error]
      : [costs.total_cost_usd, counts.unpriced_usd, counts.unpriced_usd_error],
  )
  const ofSeries = series(database, {
    ...options,
    since: '2026-11-20T00:00:00.000Z',
    until: '2026-11-23T23:59:59.999Z',
    by: 'provider',
    bucket: 'day',
  })
  const lists =
    asked === 'sats'
      ? [ofSeries.cost_sats, ofSeries.unpriced]
      : [ofSeries.cost_usd, ofSeries.unpriced_usd, ofSeries.unpriced_usd_error]
  const list = listRequests(database, { ...options, minCost: 1, sort: `cost_${asked}`, perPage: 100 })
  const tail = newRequests(database, { afterId: 0, filter: { ...options, minCost: 1 } })
  const ids = [list, tail].map(({ data }) => data.map(({ id, cost }) => [id, cost[asked]]))
  return { sections, lists, names: Object.keys(ofSeries.cost_sats), ids, total: list.total }
}

test('what an answer says about one currency is the same whatever is known in the other', ({ database }) => {
  fc.assert(
    fc.property(rows, currency, fc.constantFrom(null, 1e9, -7), (all, asked, cost) => {
      fill(database, all)
      const expected = about(database, asked)
      fill(database, withOther(all, asked, cost))
      expect(about(database, asked)).toEqual(expected)
    }),
    runs(40),
  )
})

test('a section has the sum and the unpriced requests of the currency asked for', ({ database }) => {
  fc.assert(
    fc.property(rows, currency, (all, asked) => {
      fill(database, all)
      const { counts, costs } = sectionOf(all.filter((row) => matches(row, {})))
      const answer = stats(database, { currency: asked })
      const names =
        asked === 'sats'
          ? (['unpriced', 'unpriced_error'] as const)
          : (['unpriced_usd', 'unpriced_usd_error'] as const)
      const { total, success, error, streaming } = counts
      const expected = { total, success, error, streaming }
      expect(answer.counts).toEqual({
        ...expected,
        ...Object.fromEntries(names.map((name) => [name, counts[name]])),
      })
      const { total_cost_sats, total_input_tokens, total_output_tokens, total_cost_usd } = costs
      expect(answer.costs).toEqual({
        total_cost_sats,
        total_input_tokens,
        total_output_tokens,
        ...(asked === 'usd' ? { total_cost_usd } : {}),
      })
    }),
    runs(30),
  )
})

describe('without a currency', () => {
  const day = (date: string, costs: object) => ({ timestamp: `${date}T10:00:00.000Z`, ...costs })
  const shown = (database: Database, window: object = {}) => {
    const { currency, currencies } = stats(database, { ...window, unknown: true })
    return { currency, currencies }
  }

  test('the one that the days of the window have costs in is shown, satoshis first', ({ database }) => {
    insert(
      database,
      day('2026-11-20', { cost_sats: 5 }),
      day('2026-11-21', { cost_usd: 0.5 }),
      day('2026-11-22', {}),
    )
    const of = (date: string) => ({ since: `${date}T00:00:00.000Z`, until: `${date}T23:59:59.999Z` })
    expect(shown(database)).toEqual({ currency: 'sats', currencies: ['sats', 'usd'] })
    expect(shown(database, of('2026-11-20'))).toEqual({ currency: 'sats', currencies: ['sats'] })
    expect(shown(database, of('2026-11-21'))).toEqual({ currency: 'usd', currencies: ['usd'] })
    expect(shown(database, of('2026-11-22'))).toEqual({ currency: 'sats', currencies: [] })
    const untilMidnight = { since: '2026-11-21T00:00:00.000Z', before: '2026-11-22T00:00:00.000Z' }
    expect(shown(database, untilMidnight)).toEqual({ currency: 'usd', currencies: ['usd'] })
    const inTheDay = { since: '2026-11-21T22:00:00.000Z', until: '2026-11-22T01:00:00.000Z' }
    expect(shown(database, inTheDay)).toEqual({ currency: 'usd', currencies: ['usd'] })
  })

  test('a window without costs shows the currency of the other days, and satoshis if there are none', ({
    database,
  }) => {
    expect(shown(database)).toEqual({ currency: 'sats', currencies: [] })
    insert(database, day('2026-11-21', { cost_usd: 0.5 }), day('2026-11-22', {}))
    expect(shown(database, { since: '2026-11-22T00:00:00.000Z' })).toEqual({
      currency: 'usd',
      currencies: [],
    })
  })

  test('a filter does not change it, and a least cost is in it', ({ database }) => {
    insert(
      database,
      day('2026-11-21', { cost_usd: 0.5, model: 'a' }),
      day('2026-11-21', { cost_sats: 3, cost_usd: 2, model: 'b' }),
      day('2026-11-22', { cost_usd: 0.5 }),
      day('2026-11-22', { cost_usd: 0.1 }),
    )
    expect(shown(database, { model: 'a' })).toEqual({ currency: 'sats', currencies: ['sats', 'usd'] })
    const ids = (options: object) => listRequests(database, options).data.map(({ id }) => id)
    expect(ids({ minCost: 0.5 })).toEqual([2])
    expect(ids({ minCost: 0.5, since: '2026-11-22T00:00:00.000Z' })).toEqual([3])
    expect(ids({ minCost: '0.5', currency: 'usd' })).toEqual([3, 2, 1])
    expect(ids({ minCost: '0.5sats', since: '2026-11-22T00:00:00.000Z' })).toEqual([])
  })

  test('the names of a series are those with the largest costs in it', ({ database }) => {
    const models = Array.from({ length: 10 }, (_, index) => ({
      ...day('2026-11-21', { cost_usd: index / 1e9 }),
      model: `m${index}`,
    }))
    insert(database, ...models)
    const window = { since: '2026-11-21T00:00:00.000Z', until: '2026-11-21T23:59:59.999Z' }
    const { cost_sats, currency } = series(database, { ...window, unknown: true })
    expect(currency).toBe('usd')
    expect(Object.keys(cost_sats)).toEqual(['m9', 'm8', 'm7', 'm6', 'm5', 'm4', 'm3', 'm2', 'other'])
    const question = { filter: {}, grouping: groupByName(database, 'model'), currencies: true }
    const first = readFirst(database, question, 2, 'usd')
    expect([...first.groups.keys()]).toEqual(['m9', 'm8'])
  })
})

test('a currency that is none is refused, wherever it is given', ({ database }) => {
  const euros = { ...ALL_TIME, currency: 'eur' as Currency }
  const refusal = "Invalid currency 'eur'. Valid options: sats, usd"
  expect(() => stats(database, euros)).toThrow(refusal)
  expect(() => series(database, euros)).toThrow(refusal)
  expect(() => listRequests(database, euros)).toThrow(refusal)
  expect(() => newRequests(database, { afterId: 0, filter: euros })).toThrow(refusal)
})

test('requests are sorted by costs in dollars only with a currency, since the API that this one follows has none', ({
  database,
}) => {
  insert(database, { cost_usd: 1 }, { cost_sats: 9 }, { cost_usd: 2 })
  const ids = (options: ListRequestsOptions) => {
    const ids: number[] = []
    for (let cursor: string | undefined = 'start'; cursor !== undefined; ) {
      const page: RequestCursorPage = listRequests(database, { ...options, cursor, perPage: 1 })
      ids.push(...page.data.map(({ id }) => id))
      cursor = page.next_cursor
    }
    return ids
  }
  expect(ids({ sort: 'cost_usd', currency: 'usd' })).toEqual([3, 1, 2])
  expect(ids({ sort: 'cost_usd', currency: 'sats', order: 'asc' })).toEqual([2, 1, 3])
  expect(() => ids({ sort: 'cost_usd' })).toThrow(
    "Invalid sort field 'cost_usd'. Valid options: timestamp, cost_sats, latency_ms",
  )
})

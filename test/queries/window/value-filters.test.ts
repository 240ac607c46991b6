import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  listRequests,
  newRequests,
  type RequestFilter,
  stats,
  VALUE_FILTERS,
} from '../../../src/queries/index.js'
import { FILTERS } from '../../../src/server/dashboard/page/page-state.js'
import { type Database, openDatabase } from '../../../src/store/sqlite/connection/database.js'
import { makePlace, serve, type TestServer } from '../../server/support.js'
import { runHere } from '../../support/command.js'
import { insert } from '../support.js'

const place = makePlace()
let database: Database
let server: TestServer

beforeAll(async () => {
  database = openDatabase(place.database)
  insert(
    database,
    { provider: 'p', policy: 'chat', cost_sats: 5, cost_usd: 0.05, attempt: 0, latency_ms: 10 },
    { success: 0, error_status: 429, error_message: 'Rate limit: 50% used', attempt: 1, latency_ms: 2000 },
    { success: 0, error_status: 503, error_message: 'over_loaded', cost_usd: 0.049, provider: 'p' },
    { success: 0, error_message: 'TIMED OUT', cost_sats: 100.5, service_tier: 'flex', policy: 'chat' },
    { streaming: 1, service_tier: 'Flex', cost_sats: 4.999, provider: 'p' },
  )
  server = await serve(place)
})

afterAll(async () => {
  await server.close()
  database.close()
  rmSync(place.directory, { recursive: true, force: true })
})

/** A filter as the library, the API and the command line take it, and the ids of its requests. */
const CASES: [RequestFilter, string, string[], number[]][] = [
  [{ errorStatus: 429 }, 'error_status=429', ['--error-status', '429'], [2]],
  [{ errorStatus: '4xx' }, 'error_status=4xx', ['--error-status', '4xx'], [2]],
  [{ errorStatus: '5xx' }, 'error_status=5XX', ['--error-status', '5xx'], [3]],
  [{ errorStatus: '3xx' }, 'error_status=3xx', ['--error-status', '3xx'], []],
  [{ errorStatus: 'none' }, 'error_status=none', ['--error-status', 'none'], [1, 4, 5]],
  [
    { errorStatus: 'none', success: false },
    'error_status=none&success=false',
    ['--error-status', 'none', '--failed'],
    [4],
  ],
  [{ errorMessage: 'timed out' }, 'error_message=timed+out', ['--error-message', 'Timed Out'], [4]],
  [{ errorMessage: '0%' }, 'error_message=0%25', ['--error-message', '0%'], [2]],
  [{ errorMessage: '_' }, 'error_message=_', ['--error-message', '_'], [3]],
  [{ minLatency: 2000 }, 'min_latency=2000', ['--min-latency', '2000'], [2]],
  [{ minLatency: 100 }, 'min_latency=100', ['--min-latency', '100'], [2, 3, 4, 5]],
  [{ minCost: 5 }, 'min_cost=5', ['--min-cost', '5'], [1, 4]],
  [{ minCost: '4.999sats' }, 'min_cost=4.999sats', ['--min-cost', '4.999sats'], [1, 4, 5]],
  [{ minCost: '0.05usd' }, 'min_cost=0.05usd', ['--min-cost', '0.05usd'], [1]],
  [
    { minCost: 0.05, currency: 'usd' },
    'min_cost=0.05&currency=usd',
    ['--min-cost', '0.05', '--currency', 'usd'],
    [1],
  ],
  [
    { minCost: '5sats', currency: 'usd' },
    'min_cost=5sats&currency=usd',
    ['--min-cost', '5sats', '--currency', 'usd'],
    [1, 4],
  ],
  [{ unpricedIn: 'sats' }, 'unpriced=sats', ['--unpriced', 'sats'], [2, 3]],
  [{ unpricedIn: 'usd' }, 'unpriced=usd', ['--unpriced', 'usd'], [2, 4, 5]],
  [{ unpricedIn: 'both' }, 'unpriced=both', ['--unpriced', 'both'], [2]],
  [{ attempt: 0 }, 'attempt=0', ['--attempt', '0'], [1]],
  [{ attempt: 1 }, 'attempt=1', ['--attempt', '1'], [2]],
  [{ serviceTier: 'flex' }, 'service_tier=flex', ['--service-tier', 'flex'], [4]],
  [{ withoutProvider: true }, 'without_provider=true', ['--without-provider'], [2, 4]],
  [{ withoutPolicy: true }, 'without_policy=true', ['--without-policy'], [2, 3, 5]],
  [{ unfinished: true }, 'unfinished=true', ['--unfinished'], [5]],
  [{ streaming: true }, 'streaming=true', ['--streaming'], [5]],
  [
    { minLatency: 100, unpricedIn: 'usd', model: 'GPT-4O' },
    'min_latency=100&unpriced=usd&model=GPT-4O',
    ['--min-latency', '100', '--unpriced', 'usd', '--model', 'GPT-4O'],
    [2, 4, 5],
  ],
]

const SINCE = '2026-11-22T00:00:00Z'
const UNTIL = '2026-11-22T23:59:59Z'

interface Body {
  data: { id: number }[]
}

const idsOf = ({ data }: Body) => data.map(({ id }) => id).sort()

describe.each(CASES)('%j', (filter, query, options, ids) => {
  test('finds the same requests through the library', () => {
    expect(idsOf(listRequests(database, filter))).toEqual(ids)
    expect(idsOf(listRequests(database, { ...filter, cursor: 'start' }))).toEqual(ids)
    expect(listRequests(database, filter).total).toBe(ids.length)
    expect(stats(database, filter).counts.total).toBe(ids.length)
    expect(idsOf(newRequests(database, { afterId: 0, filter }))).toEqual(ids)
  })

  test('finds the same requests through the API', async () => {
    const window = `since=${SINCE}&until=${UNTIL}`
    const { body } = await server.get(`/v1/requests?${window}&${query}`)
    expect(idsOf(body)).toEqual(ids)
    expect(body.total).toBe(ids.length)
    const ofStats = await server.get(`/v1/stats?${window}&${query}`)
    expect(ofStats.body.counts.total).toBe(ids.length)
    expect(ofStats.body).not.toHaveProperty('warnings')
    const { body: series } = await server.get(`/v1/series?${window}&bucket=day&${query}`)
    expect(series.requests.reduce((sum: number, count: number) => sum + count, 0)).toBe(ids.length)
  })

  test('finds the same requests through the command line', async () => {
    const answer = async (command: string, ...more: string[]) => {
      const asked = await runHere([command, '--db', place.database, ...options, ...more])
      expect(asked).toMatchObject({ status: 0, stderr: '' })
      return asked
    }
    expect(idsOf((await answer('requests', '--json')).json as unknown as Body)).toEqual(ids)
    expect((await answer('stats', '--json')).json).toMatchObject({ counts: { total: ids.length } })
    const { stdout } = await answer('export')
    const exported = stdout.split('\n').filter((line) => line !== '')
    expect(exported.map((line) => JSON.parse(line).id)).toEqual(ids)
  })
})

test('unpriced without a currency means neither; in stats it asks for counts, as ever', async () => {
  const window = `since=${SINCE}&until=${UNTIL}`
  expect(idsOf((await server.get(`/v1/requests?${window}&unpriced=true`)).body)).toEqual([2])
  const ofRequests = await runHere(['requests', '--db', place.database, '--json', '--unpriced'])
  expect(idsOf(ofRequests.json as unknown as Body)).toEqual([2])
  const counts = { total: 5, unpriced: 2 }
  expect((await server.get(`/v1/stats?${window}&unpriced=true`)).body).toMatchObject({ counts })
  const ofStats = await runHere(['stats', '--db', place.database, '--json', '--unpriced'])
  expect(ofStats.json).toMatchObject({ counts })
})

describe('what is no value is refused in the same words', () => {
  test.each([
    [
      'error_status',
      ['', 'x', '4x', '0xx', '6xx', '9xx', '429.5', '4xx '],
      'a status such as 429, a class such as 4xx, or none',
    ],
    ['error_message', [''], 'a text that is not empty'],
    ['min_latency', ['', '-1', '1.5', '2s', '1e3'], 'a whole number of milliseconds'],
    ['min_cost', ['', '-1', '1,5', '1e3', '5eur', 'usd', '.5'], 'an amount such as 100, 100sats or 0.05usd'],
    ['unpriced', ['', 'eur', 'neither'], 'sats, usd or both'],
    ['attempt', ['', '-1', 'first', '1+'], 'a whole number, 0 for the first try'],
    ['service_tier', [''], 'a text that is not empty'],
  ])('%s', async (parameter, values, expected) => {
    for (const value of values) {
      const message = `Invalid '${parameter}' value '${value}'. Expected ${expected}`
      for (const route of ['stats', 'requests', 'series', 'stream']) {
        const answer = await server.get(`/v1/${route}?${parameter}=${encodeURIComponent(value)}`)
        expect(answer.status).toBe(400)
        expect(answer.body.error.message).toBe(`Invalid request: ${message}`)
      }
      const name = Object.entries(VALUE_FILTERS).find(([, filter]) => filter.parameter === parameter)?.[0]
      expect(() => listRequests(database, { [String(name)]: value })).toThrow(message)
      const option = `--${parameter.replaceAll('_', '-')}=${value}`
      for (const command of ['requests', 'stats', 'export']) {
        const { status, stderr } = await runHere([command, '--db', place.database, option])
        expect(status).toBe(2)
        expect(stderr).toContain(`argument '${value}' is invalid. Expected ${expected}.`)
      }
    }
  })
})

test('the page has a filter for each of them', () => {
  expect(FILTERS).toEqual(
    expect.arrayContaining(Object.values(VALUE_FILTERS).map(({ parameter }) => parameter)),
  )
})

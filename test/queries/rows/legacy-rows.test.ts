import { expect } from 'vitest'
import {
  exportRequests,
  getRequest,
  listRequests,
  newRequests,
  START_CURSOR,
  type StatsGroupBy,
  series,
  stats,
} from '../../../src/queries/index.js'
import type { Database } from '../../../src/store/sqlite/connection/database.js'
import { fill, test } from '../support.js'

/** What SQLite lets another program write, whatever the columns were declared as. */
const ODD: Record<string, unknown>[] = [
  { success: 'yes', streaming: 'no', latency_ms: 'slow', input_tokens: 'many', output_tokens: -3.7 },
  { cost_sats: 'free', provider_cost_sats: 'x', error_status: 'teapot', error_message: 7, latency_ms: -5 },
  { timestamp: '', model: '', provider: '', policy: '', labels: '' },
  { timestamp: 20261122, model: 7, provider: 8, policy: 9, labels: 10 },
  { timestamp: '2026-11-22T10:00:00', labels: '{"tier":null,"team":["x"]}', correlation_id: '' },
  { timestamp: '2026-11-22 10', labels: '[1]', stream_duration_ms: 'long', success: -1 },
  { cost_sats: Number.POSITIVE_INFINITY, input_tokens: 1e300, latency_ms: 2 ** 53 },
  {
    cost_sats: Number.NEGATIVE_INFINITY,
    completed_segment_id: 7,
    completed_byte_offset: 'x',
    labels: Buffer.from('{}'),
  },
]

const GROUPS: (StatsGroupBy | undefined)[] = [
  undefined,
  'model',
  'tier',
  'provider',
  'policy',
  'hour',
  'day',
  'label:team',
]

async function askEverything(database: Database): Promise<void> {
  const window = { since: '2026-11-22T09:30:00Z', until: '2026-11-22T10:30:00Z' }
  for (const bounds of [{}, window]) {
    for (const groupBy of GROUPS) {
      const answer = stats(database, { ...bounds, groupBy, percentiles: true, unpriced: true })
      expect(JSON.stringify(answer)).not.toMatch(/NaN|undefined/)
    }
    for (const sort of ['timestamp', 'cost_sats', 'latency_ms'] as const) {
      const page = listRequests(database, { ...bounds, sort })
      expect(page.data).toHaveLength(page.total)
      const byKey = listRequests(database, { ...bounds, sort, cursor: START_CURSOR, perPage: 100 })
      expect(byKey.data).toEqual(page.data)
    }
  }
  series(database, { ...window, bucket: 'hour' })
  expect(newRequests(database, { afterId: 0 }).data).toHaveLength(ODD.length)
  for (const order of ['id', 'timestamp'] as const) {
    expect([...exportRequests(database, { order })]).toHaveLength(ODD.length)
  }
  for (const [index] of ODD.entries())
    expect(await getRequest(database, index + 1)).toMatchObject({ id: index + 1 })
}

test.for([0, ODD.length])(
  'no value of another program breaks an answer, %d rows in the roll-ups',
  async (counted, { database }) => {
    fill(database, ODD, counted)
    await askEverything(database)
    expect(stats(database).counts).toEqual({ total: 8, success: 8, error: 0, streaming: 1 })
    expect(listRequests(database, { success: true }).total).toBe(8)
  },
)

test('roll-ups take a text in the place of a number as SQLite does', ({ database }) => {
  const rows = ['2e3x', ' 7 apples', '-3.7e1!', '0x10', 'e5'].map((text) => ({
    latency_ms: text,
    input_tokens: text,
  }))
  fill(database, rows, 0)
  const fromRows = stats(database, { percentiles: true })
  fill(database, rows)
  expect(stats(database, { percentiles: true })).toEqual(fromRows)
})

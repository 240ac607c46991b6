import SQLite from 'better-sqlite3'
import { describe, expect } from 'vitest'
import {
  exportRequests,
  getRequest,
  listNames,
  listRequests,
  newRequests,
  START_CURSOR,
  type StatsGroupBy,
  series,
  stats,
} from '../../../src/queries/index.js'
import type { Database } from '../../../src/store/sqlite/connection/database.js'
import { migrate, packagedMigrations } from '../../../src/store/sqlite/schema/migrations.js'
import { fill, insertRow, type Row, test } from '../support.js'

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

/** A database whose rows were there before the journal. */
function databaseWith(rows: readonly object[]): Database {
  const database = new SQLite(':memory:')
  const before = packagedMigrations().filter(({ fileName }) => fileName < '20261122000003')
  migrate(database, 'memory', before)
  for (const row of rows) insertRow(database, row as Row)
  migrate(database, 'memory')
  return database
}

describe('rows from before the journal', () => {
  test('break no answer, whatever they have in their columns', async () => {
    const database = databaseWith(ODD)
    await askEverything(database)
    expect(stats(database).counts).toEqual({ total: 8, success: 8, error: 0, streaming: 1 })
    expect(listRequests(database, { success: true }).total).toBe(8)
    database.close()
  })

  test('have values of their columns’ types, as CAST makes them', () => {
    const named = {
      correlation_id: Buffer.from('c'),
      timestamp: Buffer.from('2026-11-22'),
      model: Buffer.from('m'),
    }
    const database = databaseWith([
      ...ODD,
      {
        ...named,
        provider: Buffer.from('p'),
        policy: Buffer.from('q'),
        labels: '{"tier":"local","n":7,"x":null}',
      },
      { model: 'm', provider: 'p', policy: 'q', labels: '{"tier": "local"}', streaming: 1, cost_sats: 1 },
    ])
    const columns =
      'streaming, success, input_tokens, output_tokens, cost_sats, latency_ms, stream_duration_ms, error_status, labels'
    const rows = database.prepare(`SELECT ${columns} FROM requests ORDER BY id`).raw().all()
    expect(rows).toEqual([
      [1, 1, 0, -3, null, 0, null, null, null],
      [0, 1, null, null, 0, -5, null, 0, null],
      [0, 1, null, null, null, 100, null, null, null],
      [0, 1, null, null, null, 100, null, null, null],
      [0, 1, null, null, null, 100, null, null, null],
      [0, 1, null, null, null, 100, 0, null, null],
      [0, 1, 2 ** 63, null, Number.POSITIVE_INFINITY, 2 ** 53, null, null, null],
      [0, 1, null, null, Number.NEGATIVE_INFINITY, 100, null, null, null],
      [0, 1, null, null, null, 100, null, null, '{"tier":"local"}'],
      [1, 1, null, null, 1, 100, null, null, '{"tier": "local"}'],
    ])
    expect(listRequests(database, { model: 'M', provider: 'P', policy: 'q' }).total).toBe(2)
    expect(stats(database, { model: 'M', groupBy: 'provider' }).providers).toMatchObject({
      p: { counts: { total: 2 } },
    })
    const dimensions = database.prepare("SELECT count(*) FROM rollup_dimensions WHERE model = 'm'").pluck()
    expect(dimensions.get()).toBe(2)
    database.close()
  })

  test('count the same in roll-ups and as rows', () => {
    const database = databaseWith(
      ['2e3x', ' 7 apples', '-3.7e1!', '0x10', 'e5'].map((text) => ({
        latency_ms: text,
        input_tokens: text,
      })),
    )
    const fromRows = stats(database, { percentiles: true, success: true })
    expect(stats(database, { percentiles: true })).toEqual(fromRows)
    expect(fromRows.costs.total_input_tokens).toBe(2 + 7 - 3)
    database.close()
  })
})

test('rows that another program adds after the journal began are listed, and in no sum', ({ database }) => {
  const before = { model: 'a', timestamp: '2026-11-22T10:10:00.000Z', success: 0 }
  const later = { model: 'b', timestamp: '2026-11-22T10:10:00.000Z', labels: 'none', latency_ms: 'slow' }
  fill(database, [before, later, later], 1)
  const part = { since: '2026-11-22T10:05:00Z', until: '2026-11-22T10:50:00Z' }
  for (const window of [{}, part]) {
    expect(stats(database, { ...window, groupBy: 'model' }).models).toMatchObject({
      a: { counts: { total: 1 } },
    })
    expect(stats(database, { ...window, success: true, unknown: true }).counts).toMatchObject({
      total: 0,
      open: 0,
    })
    expect(listRequests(database, { ...window, perPage: 1, page: 3 })).toMatchObject({
      data: [{ model: 'a' }],
      total: 3,
    })
    expect(listRequests(database, { ...window, success: true }).total).toBe(2)
    expect(listRequests(database, { ...window, success: true }).data).toHaveLength(2)
  }
  expect(series(database, { ...part, bucket: 'minute' }).requests.reduce((sum, n) => sum + n, 0)).toBe(1)
  expect(listNames(database).names).toEqual([{ name: 'a', requests: 1 }])
  expect(listNames(database, { dimension: 'label:team' }).names).toEqual([])
  expect(() => stats(database, { model: 'b' })).toThrow("Model 'b' not found")
})

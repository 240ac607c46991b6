import { describe, expect, vi } from 'vitest'
import { type Database, listRequests, START_CURSOR } from '../../../src/queries/index.js'
import { insert, test } from '../support.js'

test('an entry has exactly its fields', ({ database }) => {
  insert(database, {
    provider: 'openai',
    streaming: 1,
    input_tokens: 0,
    output_tokens: 7,
    cost_sats: 0.5,
    stream_duration_ms: 900,
    error_status: 500,
  })
  insert(database, { success: 0, error_message: 'no' })
  insert(database)
  const timestamp = '2026-11-22T10:00:00.000Z'
  const bare = {
    timestamp,
    model: 'gpt-4o',
    streaming: false,
    tokens: { input: null, output: null },
    cost: { sats: null },
    timing: { latency_ms: 100 },
  }
  expect(listRequests(database, { page: 1, perPage: 20 })).toStrictEqual({
    data: [
      { id: 3, ...bare, success: true },
      { id: 2, ...bare, success: false, error: { status: null, message: 'no' } },
      {
        id: 1,
        timestamp,
        model: 'gpt-4o',
        provider: 'openai',
        streaming: true,
        success: true,
        tokens: { input: 0, output: 7 },
        cost: { sats: 0.5 },
        timing: { latency_ms: 100, stream_duration_ms: 900 },
        error: { status: 500, message: null },
      },
    ],
    page: 1,
    per_page: 20,
    total: 3,
    total_pages: 1,
    since: '0001-01-01T00:00:00.000Z',
    until: '9999-12-31T23:59:59.999Z',
  })
})

test('newest first, ties by id; pages don’t overlap; past the end is empty', ({ database }) => {
  insert(database, { timestamp: '2026-11-22T12:00:00.000Z' })
  for (let i = 0; i < 4; i++) insert(database)
  insert(database, { timestamp: '2026-11-21T12:00:00.000Z' })
  const page = (page: number) => listRequests(database, { page, perPage: 4 })
  expect(page(1).data.map(({ id }) => id)).toEqual([1, 5, 4, 3])
  expect(page(2).data.map(({ id }) => id)).toEqual([2, 6])
  expect(page(3)).toMatchObject({ data: [], page: 3, total: 6, total_pages: 2 })
  expect(page(2 ** 32 - 1).data).toEqual([])
})

test('no rows: no pages', ({ database }) => {
  expect(listRequests(database, { page: 1, perPage: 20 })).toMatchObject({
    data: [],
    total: 0,
    total_pages: 0,
  })
})

test('a window narrows count and page alike', ({ database }) => {
  insert(database, { timestamp: '2026-01-01T00:00:00.000Z' })
  insert(database)
  const answer = listRequests(database, { page: 1, perPage: 20, since: '2026-11-01T00:00:00.000Z' })
  expect(answer).toMatchObject({ total: 1, data: [{ id: 2 }], since: '2026-11-01T00:00:00.000Z' })
})

test('defaults and limits of pages', ({ database }) => {
  insert(database, ...Array(120).fill({}))
  expect(listRequests(database)).toMatchObject({ page: 1, per_page: 20, total: 120, total_pages: 6 })
  expect(listRequests(database, { page: 0, perPage: 0 })).toMatchObject({ page: 1, per_page: 1 })
  expect(listRequests(database, { perPage: 4_000_000_000 })).toMatchObject({ per_page: 100, total_pages: 2 })
})

test('the order in any case, the sort in its own', ({ database }) => {
  insert(database, {}, {})
  const order = (text: string) => ({ order: text as 'asc' })
  expect(listRequests(database, order('ASC')).data.map(({ id }) => id)).toEqual([1, 2])
  expect(() => listRequests(database, order('up'))).toThrow(
    expect.objectContaining({
      code: 'INVALID_ORDER',
      message: "Invalid sort order 'up'. Valid options: asc, desc",
    }),
  )
  expect(() => listRequests(database, { sort: 'Timestamp' as 'timestamp', ...order('up') })).toThrow(
    "Invalid sort field 'Timestamp'. Valid options: timestamp, cost_sats, latency_ms",
  )
})

describe('a cursor', () => {
  test('has no total, and a next one only where more follows', ({ database }) => {
    insert(database, {}, {}, {})
    const first = listRequests(database, { cursor: START_CURSOR, perPage: 2 })
    expect(first).toStrictEqual({
      data: [expect.objectContaining({ id: 3 }), expect.objectContaining({ id: 2 })],
      per_page: 2,
      next_cursor: expect.any(String),
      since: '0001-01-01T00:00:00.000Z',
      until: '9999-12-31T23:59:59.999Z',
    })
    const last = listRequests(database, { cursor: first.next_cursor ?? '', perPage: 2 })
    expect(last).toMatchObject({ data: [{ id: 1 }] })
    expect(last).not.toHaveProperty('next_cursor')
  })

  test('neither repeats nor leaves out what was there when rows come in between', ({ database }) => {
    insert(database, ...Array.from({ length: 6 }, (_, i) => ({ timestamp: `2026-11-22T10:00:0${i}.000Z` })))
    const first = listRequests(database, { cursor: START_CURSOR, perPage: 3 })
    insert(database, { timestamp: '2026-11-22T10:00:09.000Z' })
    const second = listRequests(database, { cursor: first.next_cursor ?? '', perPage: 3 })
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual([6, 5, 4, 3, 2, 1])
  })

  test.for(['', 'x', 'W10', 'bnVsbA', Buffer.from('["timestamp","desc",7,1]').toString('base64url')])(
    'that is none is refused: %j',
    (cursor, { database }) => {
      expect(() => listRequests(database, { cursor })).toThrow(
        expect.objectContaining({
          code: 'INVALID_CURSOR',
          message: expect.stringMatching(/^Invalid cursor: /),
        }),
      )
    },
  )

  test('of another sort or order is refused', ({ database }) => {
    insert(database, {}, {})
    const { next_cursor: cursor = '' } = listRequests(database, { cursor: START_CURSOR, perPage: 1 })
    expect(() => listRequests(database, { cursor, order: 'asc' })).toThrow('another sort or order')
    expect(() => listRequests(database, { cursor, sort: 'cost_sats' })).toThrow('another sort or order')
  })
})

test('a page far from the first one skips whole hours by the roll-ups', ({ database }) => {
  const times = Array.from({ length: 3000 }, (_, i) =>
    new Date(Date.UTC(2026, 10, 1) + i * 400_000).toISOString(),
  )
  insert(database, ...times.map((timestamp) => ({ timestamp })))
  const window = { since: times[7], until: times[2990] }
  const { data, total } = listRequests(database, { ...window, page: 29, perPage: 100 })
  expect(total).toBe(2984)
  expect(data.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, i) => 2991 - 2800 - i))
})

describe('no question reads more than it must', () => {
  const plan = (database: Database, ask: () => unknown): string[] => {
    const plans: string[] = []
    const prepare = database.prepare.bind(database)
    const spy = vi.spyOn(database, 'prepare').mockImplementation(((sql: string) => {
      const details = prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...Array(sql.split('?').length - 1).fill(null))
      plans.push(...details.map((row) => (row as { detail: string }).detail))
      return prepare(sql)
    }) as typeof database.prepare)
    try {
      ask()
    } finally {
      spy.mockRestore()
    }
    return plans.filter((detail) => /requests|B-TREE/.test(detail))
  }
  const window = { since: '2026-11-01T00:10:00Z', until: '2026-11-22T10:50:00Z' }

  test('a page by key seeks in the index of timestamps, and sorts nothing', ({ database }) => {
    insert(database, ...Array(50).fill({}))
    const { next_cursor: cursor = '' } = listRequests(database, { ...window, cursor: START_CURSOR })
    const plans = plan(database, () => listRequests(database, { ...window, cursor }))
    const seek = 'SEARCH requests USING INDEX idx_requests_timestamp'
    expect(plans).toEqual([`${seek} (timestamp=? AND rowid<?)`])
    const next = plan(database, () => listRequests(database, { ...window, cursor, perPage: 40 }))
    expect(next).toEqual([`${seek} (timestamp=? AND rowid<?)`, `${seek} (timestamp>? AND timestamp<?)`])
  })

  test('a page by number, with its count, scans no table', ({ database }) => {
    insert(database, ...Array(50).fill({}))
    const plans = plan(database, () => listRequests(database, { ...window, model: 'gpt-4o' }))
    expect(plans.join()).not.toMatch(/SCAN requests/)
  })

  test('a correlation_id is found by its index', ({ database }) => {
    insert(database)
    const plans = plan(database, () => listRequests(database, { ...window, correlationId: 'c' }))
    expect(plans.join()).toContain('idx_requests_correlation_id (correlation_id=?)')
    expect(plans.join()).not.toMatch(/SCAN requests/)
  })
})

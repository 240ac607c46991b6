import { expect } from 'vitest'
import { listRequests } from '../../src/queries/requests.js'
import { insert, test } from './support.js'

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

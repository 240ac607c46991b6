import { expect } from 'vitest'
import { listRequests, requestState, type StateRow } from '../../../src/queries/index.js'
import { insert, type Row, test } from '../support.js'

const NOW = Date.parse('2026-11-22T10:30:00Z')
const stream: Row = { streaming: 1, timestamp: '2026-11-22T09:30:00.001Z' }

const STATES: [string, Row, 'open' | 'unfinished' | 'finished'][] = [
  ['a stream within the last hour', stream, 'open'],
  ['a stream from before', { ...stream, timestamp: '2026-11-22T09:30:00.000Z' }, 'unfinished'],
  ['a stream that was completed', { ...stream, completed_segment_id: 1 }, 'finished'],
  ['a stream that failed', { ...stream, success: 0 }, 'finished'],
  ['a stream that was logged with its tokens', { ...stream, output_tokens: 0 }, 'finished'],
  ['a stream that was logged with its duration', { ...stream, stream_duration_ms: 5 }, 'finished'],
  ['a request that is no stream', { ...stream, streaming: 0 }, 'finished'],
]

test.for(STATES)('%s is what its state, and the filters by it, say', ([, row, state], { database }) => {
  insert(database, row)
  const stored = database.prepare<[], StateRow>('SELECT * FROM requests').get()
  expect(stored && requestState(stored, NOW)).toBe(state)
  const count = (filter: object) => listRequests(database, { now: NOW, ...filter }).data.length
  expect({ open: count({ open: true }), others: count({ open: false }) }).toEqual(
    state === 'open' ? { open: 1, others: 0 } : { open: 0, others: 1 },
  )
  expect({ unfinished: count({ unfinished: true }), others: count({ unfinished: false }) }).toEqual(
    state === 'unfinished' ? { unfinished: 1, others: 0 } : { unfinished: 0, others: 1 },
  )
})

test('streams without an end are found by an index of their own', ({ database }) => {
  insert(database, stream)
  const statements: string[] = []
  const prepare = database.prepare.bind(database)
  database.prepare = ((sql: string) => {
    statements.push(sql)
    return prepare(sql)
  }) as typeof database.prepare
  expect(listRequests(database, { open: true, now: NOW, cursor: 'start' }).data).toHaveLength(1)
  const select = statements.find((sql) => sql.includes('ORDER BY timestamp')) ?? ''
  const plan = prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${select}`).all('', 1, 0)
  expect(plan.map(({ detail }) => detail)).toEqual([
    'SEARCH requests USING INDEX idx_requests_unended (timestamp>?)',
  ])
})

import fc from 'fast-check'
import { expect } from 'vitest'
import { exportRequests } from '../../../src/queries/index.js'
import { runs } from '../../support/runs.js'
import { filter, rows } from '../arbitrary-rows.js'
import { matches } from '../reference.js'
import { fill, insert, test } from '../support.js'

test('a row has all its fields, named as in the events', ({ database }) => {
  insert(database, {
    provider: 'p',
    policy: 'chat',
    streaming: 1,
    input_tokens: 1,
    output_tokens: 2,
    cost_sats: 0.5,
    provider_cost_sats: 0.4,
    stream_duration_ms: 9,
    error_status: 500,
    error_message: 'no',
    labels: '{"team":"a"}',
    segment_id: 20261122001,
    byte_offset: 70,
  })
  insert(database, { labels: 'no JSON' })
  const [first, second] = [...exportRequests(database)]
  expect(first).toEqual({
    id: 1,
    correlation_id: 'c',
    timestamp: '2026-11-22T10:00:00.000Z',
    model: 'gpt-4o',
    provider: 'p',
    policy: 'chat',
    streaming: true,
    success: true,
    input_tokens: 1,
    output_tokens: 2,
    cost_sats: 0.5,
    provider_cost_sats: 0.4,
    latency_ms: 100,
    stream_duration_ms: 9,
    error_status: 500,
    error_message: 'no',
    labels: { team: 'a' },
    segment: '2026-11-22_001.ndjson',
    byte_offset: 70,
  })
  expect(second).not.toHaveProperty('labels')
  expect(second).toMatchObject({ segment: null, byte_offset: null, provider: null })
})

test('all that matches, in either order', ({ database }) => {
  fc.assert(
    fc.property(rows, filter, fc.constantFrom('id', 'timestamp'), (all, asked, order) => {
      fill(database, all)
      fc.pre(asked.model === undefined || all.some((row) => matches(row, { model: asked.model })))
      fc.pre(asked.provider === undefined || all.some((row) => matches(row, { provider: asked.provider })))
      const matching = all.filter((row) => matches(row, asked))
      if (order === 'timestamp')
        matching.sort((a, b) =>
          a.timestamp === b.timestamp ? a.id - b.id : a.timestamp < b.timestamp ? -1 : 1,
        )
      const found = [...exportRequests(database, { ...asked, order })].map(({ id }) => id)
      expect(found).toEqual(matching.map(({ id }) => id))
    }),
    runs(100),
  )
})

test.for(['id', 'timestamp'] as const)(
  'by %s, over many pages: each once, none that came meanwhile, and no read is held open',
  (order, { database }) => {
    insert(database, ...Array.from({ length: 2500 }, (_, i) => ({ latency_ms: i })))
    const exported = exportRequests(database, { order })
    const ids = [exported.next().value?.id]
    // A statement that was still being read would refuse this.
    insert(database, {})
    for (const { id } of exported) ids.push(id)
    expect(ids).toEqual(Array.from({ length: 2500 }, (_, i) => i + 1))
  },
)

test("an order that doesn't exist", ({ database }) => {
  const exported = exportRequests(database, { order: 'cost' as 'id' })
  expect(() => exported.next()).toThrow("Invalid export order 'cost'")
})

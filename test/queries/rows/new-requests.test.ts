import { describe, expect } from 'vitest'
import { type NewRequestsOptions, newRequests } from '../../../src/queries/index.js'
import { insert, type Row, test } from '../support.js'

const ids = (entries: readonly { id: number }[]) => entries.map(({ id }) => id)
const complete =
  'UPDATE requests SET completed_segment_id = 1, completed_byte_offset = 1, stream_duration_ms = 5'

test('from now on: nothing at first, then what comes, each once and in order', ({ database }) => {
  insert(database, {}, {})
  const start = newRequests(database, { afterId: null })
  expect(start).toEqual({ data: [], completed: [], last_id: 2, open_ids: [], has_more: false })
  insert(database, {}, {}, {})
  const first = newRequests(database, { afterId: start.last_id, limit: 2 })
  expect(first).toMatchObject({ data: [{ id: 3 }, { id: 4 }], last_id: 4, has_more: true })
  const second = newRequests(database, { afterId: first.last_id, limit: 2 })
  expect(second).toMatchObject({ data: [{ id: 5 }], last_id: 5, has_more: false })
  expect(newRequests(database, { afterId: 5 })).toMatchObject({ data: [], last_id: 5 })
})

test('a filter lets the rest pass without stopping there', ({ database }) => {
  insert(database, {}, { model: 'O3', provider: 'p' }, {})
  const answer = newRequests(database, { afterId: 0, filter: { model: 'o3', provider: 'P' } })
  expect(answer).toMatchObject({ data: [{ id: 2 }], last_id: 3, has_more: false })
})

describe('the end of a stream', () => {
  const stream: Row = { streaming: 1 }
  const ask = (options: Omit<NewRequestsOptions, 'afterId'>) => ({ afterId: 0, ...options })

  test('is told once, of those that were open', ({ database }) => {
    insert(database, stream, {}, stream)
    const first = newRequests(database, ask({}))
    expect(first).toMatchObject({ open_ids: [1, 3], completed: [] })
    database.exec(`${complete}, output_tokens = 9 WHERE id = 1`)
    const second = newRequests(database, { afterId: 3, openIds: first.open_ids })
    expect(second).toMatchObject({
      data: [],
      completed: [{ id: 1, tokens: { output: 9 }, timing: { stream_duration_ms: 5 } }],
      open_ids: [3],
    })
    expect(newRequests(database, { afterId: 3, openIds: second.open_ids }).completed).toEqual([])
  })

  test('that makes a request fail brings it to those who asked for failures', ({ database }) => {
    insert(database, stream, { success: 0 })
    const filter = { success: false }
    const first = newRequests(database, ask({ filter }))
    expect(ids(first.data)).toEqual([2])
    database.exec(`${complete}, success = 0 WHERE id = 1`)
    expect(ids(newRequests(database, { afterId: 2, openIds: first.open_ids, filter }).completed)).toEqual([1])
  })

  test('brings it to those who asked for what is no longer open, and tells how it stands', ({ database }) => {
    const timestamp = new Date().toISOString()
    insert(database, { streaming: 1, timestamp }, { streaming: 1 }, { streaming: 1, output_tokens: 1 })
    const filter = { open: false }
    const first = newRequests(database, ask({ filter }))
    expect(first.data).toMatchObject([
      { id: 2, state: 'unfinished' },
      { id: 3, state: 'finished' },
    ])
    expect(newRequests(database, ask({ filter: { open: true } })).data).toMatchObject([
      { id: 1, state: 'open' },
    ])
    database.exec(`${complete} WHERE id = 1`)
    expect(newRequests(database, { afterId: 3, openIds: first.open_ids, filter }).completed).toMatchObject([
      { id: 1, state: 'finished' },
    ])
  })
})

test('ids that have become smaller: the tail goes on after the last one', ({ database }) => {
  insert(database, {}, {})
  expect(newRequests(database, { afterId: 900 })).toMatchObject({ data: [], last_id: 2, has_more: false })
})

test('a gap in the ids is no work', ({ database }) => {
  insert(database, { id: 1 }, { id: 2 ** 52 })
  const answer = newRequests(database, { afterId: 1 })
  expect(answer).toMatchObject({ data: [{ id: 2 ** 52 }], last_id: 2 ** 52, has_more: false })
})

test('an unknown model is refused when a tail begins', ({ database }) => {
  const filter = { model: 'none' }
  expect(() => newRequests(database, { afterId: null, filter })).toThrow("Model 'none' not found")
  expect(newRequests(database, { afterId: 0, filter }).data).toEqual([])
})

describe('openIds null, for whoever resumes', () => {
  const stream = { streaming: 1, segment_id: 20781, timestamp: '2026-11-22T10:00:00.000Z' }
  const completeAt = (byteOffset: number) =>
    `UPDATE requests SET completed_segment_id = 20781, completed_byte_offset = ${byteOffset}, output_tokens = 9`

  test('tells what was completed after the last request that was seen, and watches what is open', ({
    database,
  }) => {
    insert(
      database,
      { ...stream, byte_offset: 0 },
      { ...stream, byte_offset: 100, model: 'other' },
      { ...stream, byte_offset: 200 },
      { ...stream, byte_offset: 300 },
      { byte_offset: 500, segment_id: 20781 },
    )
    // One while the client still looked, one after it had gone.
    database.exec(
      `${completeAt(400)} WHERE id = 1; ${completeAt(600)} WHERE id = 2; ${completeAt(700)} WHERE id = 3`,
    )
    const resumed = newRequests(database, { afterId: 5, openIds: null })
    expect(ids(resumed.completed)).toEqual([2, 3])
    expect(resumed).toMatchObject({ data: [], last_id: 5, open_ids: [4] })
    expect(resumed).not.toHaveProperty('has_gap')
    const filtered = newRequests(database, { afterId: 5, openIds: null, filter: { model: 'OTHER' } })
    expect(filtered).toMatchObject({ completed: [{ id: 2 }], open_ids: [] })
    database.exec(`${completeAt(800)} WHERE id = 4`)
    expect(ids(newRequests(database, { afterId: 5, openIds: resumed.open_ids }).completed)).toEqual([4])
  })

  test('says that there is a gap where more were completed than it tells', ({ database }) => {
    insert(database, ...Array.from({ length: 1000 }, (_, i) => ({ ...stream, byte_offset: i })))
    database.exec(completeAt(5000))
    expect(newRequests(database, { afterId: 1000, openIds: null })).toMatchObject({ has_gap: true })
  })

  test('says that there is a gap where streams may be open that began too long ago', ({ database }) => {
    insert(database, { ...stream, id: 1, byte_offset: 0 }, { ...stream, id: 100_001, byte_offset: 1 })
    expect(newRequests(database, { afterId: 100_001, openIds: null })).toMatchObject({ has_gap: true })
    database.exec("UPDATE requests SET timestamp = '2026-11-22T08:59:59.000Z' WHERE id = 1")
    expect(newRequests(database, { afterId: 100_001, openIds: null })).not.toHaveProperty('has_gap')
  })
})

test('an answer ends when it has enough characters, and the next one goes on where it ended', ({
  database,
}) => {
  const great = { error_message: 'x'.repeat(1000) }
  insert(database, ...Array(6).fill({ ...great, streaming: 1 }))
  const first = newRequests(database, { afterId: 0, maxCharacters: 2000 })
  expect(ids(first.data)).toEqual([1, 2])
  expect(first).toMatchObject({ last_id: 2, open_ids: [1, 2], has_more: true })
  database.exec(complete)
  // What was completed comes before anything new.
  const openIds = [1, 2, 3, 4]
  const second = newRequests(database, { afterId: 4, openIds, maxCharacters: 2000 })
  expect(ids(second.completed)).toEqual([1, 2])
  expect(second).toMatchObject({ data: [], last_id: 4, open_ids: [3, 4], has_more: true })
  const third = newRequests(database, { afterId: 4, openIds: second.open_ids, maxCharacters: 2000 })
  expect(ids(third.completed)).toEqual([3, 4])
  const last = newRequests(database, { afterId: 4, maxCharacters: 2000 })
  expect(last).toMatchObject({ data: [{ id: 5 }, { id: 6 }], last_id: 6, has_more: false })
})

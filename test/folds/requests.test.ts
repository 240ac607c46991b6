import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BatchItem } from '../../src/events/place.js'
import type { Changes, Known } from '../../src/folds/changes.js'
import { fold, foldDeferred, keysOf } from '../../src/folds/requests.js'
import { runs } from '../support/runs.js'
import { candidates, completion, ended, frozen, known, logged, rejected, SEGMENT, stored } from './given.js'

/** Folds what nobody may change meanwhile. */
function foldOf(given: Known, items: readonly BatchItem[]): Changes {
  return fold(frozen(given), frozen(items))
}

/** A short form of what completions change: which row, by which completion. */
function completions({ completed }: Changes): [id: number, byteOffset: number][] {
  return completed.map(({ before, by }) => [before.id, by.place.byteOffset])
}

test('a batch’s requests get the next ids that are free, and its rejected lines are kept', () => {
  const given = known({ nextId: 4, takenIds: new Set([5, 6]) })
  const changes = foldOf(given, [logged('a', 0), rejected(10), logged('b', 20)])
  expect(changes.inserted).toMatchObject([
    { id: 4, segmentId: SEGMENT, byteOffset: 0, event: { correlation_id: 'a' } },
    { id: 7, segmentId: SEGMENT, byteOffset: 20, event: { correlation_id: 'b' } },
  ])
  expect(changes.rejected).toEqual([rejected(10)])
  expect(changes.completed).toEqual([])
})

describe('a completion', () => {
  const end = ended('a', 90, { output_tokens: 7, stream_duration_ms: 3 })

  test('overwrites what it brings, nulls included, and keeps what the request said of success', () => {
    const before = stored(3, { input_tokens: 5, cost_sats: 2, success: false })
    const given = known({ requests: new Map([['a', candidates(before)]]) })
    const { completed, held } = foldOf(given, [end])
    expect(held).toEqual([])
    expect(completed).toMatchObject([{ before, isAmbiguous: false }])
    expect(completed[0]?.after).toMatchObject({
      ...before,
      ...{ input_tokens: null, output_tokens: 7, cost_sats: null, stream_duration_ms: 3, isCompleted: true },
      completedBy: { segmentId: SEGMENT, byteOffset: 90 },
    })
  })

  test('finds a request of its own batch', () => {
    const given = known({ requests: new Map([['a', []]]) })
    const changes = foldOf(given, [logged('a', 0, { streaming: true }), end])
    expect(changes.inserted).toMatchObject([{ id: 1 }])
    expect(completions(changes)).toEqual([[1, 90]])
  })

  test('is held if no request has come, and released with the request it waited for', () => {
    const given = known({ requests: new Map([['a', []]]) })
    expect(foldOf(given, [end])).toMatchObject({ held: [{ place: { byteOffset: 90 } }], released: [] })

    const waiting = known({ held: new Map([['a', [completion('a', 5), completion('a', 6)]]]) })
    const changes = foldOf(waiting, [logged('a', 50, { streaming: true }), logged('a', 60)])
    expect(completions(changes)).toEqual([
      [1, 5],
      [1, 6],
    ])
    expect(changes.released).toEqual([
      { segmentId: SEGMENT, byteOffset: 5 },
      { segmentId: SEGMENT, byteOffset: 6 },
    ])
    expect(changes.held).toEqual([])
  })

  test('that names an attempt waits for a request with it, and lets others pass', () => {
    const given = known({ held: new Map([['a', [completion('a', 5, { attempt: 1 })]]]) })
    const changes = foldOf(given, [logged('a', 50, { attempt: 0 }), logged('a', 60, { attempt: 1 })])
    expect(completions(changes)).toEqual([[2, 5]])
  })

  test('of a late line is applied in the order of the journal, not in that of batches', () => {
    const late = { ...completion('a', 7), place: { segmentId: SEGMENT + 1, byteOffset: 0 } }
    const given = known({ requests: new Map([['a', []]]), held: new Map([['a', [late]]]) })
    const changes = foldOf(given, [ended('a', 90), logged('a', 95)])
    expect(changes.completed.map(({ by }) => by.place.segmentId)).toEqual([SEGMENT, SEGMENT + 1])
    expect(changes.released).toEqual([late.place])
    expect(changes.held).toEqual([])
  })

  // Each with the ids of the rows it changes, one by one.
  const open = (id: number, attempt: number | null = null) => stored(id, { attempt })
  const done = (id: number) => stored(id, { completedBy: { segmentId: SEGMENT, byteOffset: 1 } })
  test.for([
    ['its attempt', [open(2, 1), open(1, 0)], [{ attempt: 0 }], [1], [false]],
    ['the newest row with its attempt', [open(2, 0), open(1, 0)], [{ attempt: 0 }], [2], [false]],
    ['the newest open stream', [done(3), open(2), open(1)], [{}, {}, {}], [2, 1, 3], [true, false, false]],
    ['the newest row if none is open', [done(3), done(2)], [{}], [3], [false]],
    ['no row with another attempt', [open(2, 1)], [{ attempt: 0 }], [], []],
  ] as const)('finds %s', ([, rows, ends, ids, ambiguous]) => {
    const given = known({ requests: new Map([['a', candidates(...rows)]]) })
    const changes = foldOf(
      given,
      ends.map((fields, index) => ended('a', 90 + index, fields)),
    )
    expect(completions(changes).map(([id]) => id)).toEqual(ids)
    expect(changes.completed.map(({ isAmbiguous }) => isAmbiguous)).toEqual(ambiguous)
  })

  test('looks at the newest thousand rows only, those of its own batch included', () => {
    const row = (newer: number) => ({ request: stored(1), newer })
    const given = (newer: number) => known({ nextId: 5000, requests: new Map([['a', [row(newer)]]]) })
    expect(completions(foldOf(given(999), [end]))).toEqual([[1, 90]])
    expect(foldOf(given(1000), [end]).held).toHaveLength(1)
    const changes = foldOf(given(999), [logged('a', 0, { attempt: 1 }), ended('a', 90)])
    expect(completions(changes)).toEqual([[5000, 90]])
  })

  test('waits while the store defers, with the id that the next request gets', () => {
    const given = known({ nextId: 8, isDeferring: true })
    const changes = foldOf(given, [logged('a', 0), end, logged('b', 50)])
    expect(changes.deferred).toMatchObject([{ beforeId: 9, place: { byteOffset: 90 } }])
    expect(changes.completed).toEqual([])
  })
})

describe('a deferred completion', () => {
  const deferred = [completion('a', 5), completion('b', 6), completion('c', 7)]

  test('finds a row that was there before it, else the one that it waited for, else is held', () => {
    const given = frozen(
      known({
        requests: new Map([
          ['a', candidates(stored(1))],
          ['b', []],
        ]),
        later: new Map([['b', stored(2)]]),
      }),
    )
    const changes = foldDeferred(given, frozen(deferred))
    expect(completions(changes)).toEqual([
      [1, 5],
      [2, 6],
    ])
    expect(changes.held).toEqual([deferred[2]])
  })
})

test('keys are the ids of requests, and what completions look for', () => {
  const items = [logged('a', 0), ended('b', 1, { attempt: 2 }), ended('b', 2), rejected(3)]
  expect(keysOf(frozen(items))).toEqual({
    requests: ['a'],
    completions: new Map([['b', { count: 2, attempts: new Set([2, null]) }]]),
  })
})

test('however a batch is cut, the rows end up the same', () => {
  const name = fc.constantFrom('a', 'b')
  const attempt = fc.constantFrom(undefined, 0, 1)
  const item = fc.record({ name, attempt, isEnd: fc.boolean(), streaming: fc.boolean() })
  fc.assert(
    fc.property(fc.array(item, { maxLength: 12 }), fc.array(fc.nat(12)), (made, cuts) => {
      const items = made.map(({ name, attempt, isEnd, streaming }, index) => {
        const named = attempt === undefined ? {} : { attempt }
        return isEnd
          ? ended(name, index, { ...named, output_tokens: index })
          : logged(name, index, { ...named, streaming })
      })
      const ends = [...new Set([...cuts.map((cut) => Math.min(cut, items.length)), items.length])].sort(
        (a, b) => a - b,
      )
      const memory = new MemoryStore()
      let start = 0
      for (const end of ends) {
        memory.apply(foldOf(memory.known(), items.slice(start, end)))
        start = end
      }
      const whole = new MemoryStore()
      whole.apply(foldOf(whole.known(), items))
      expect(memory.rows()).toEqual(whole.rows())
    }),
    runs(300),
  )
})

/** Keeps everything, and knows everything. */
class MemoryStore {
  readonly #requests = new Map<string, ReturnType<typeof stored>[]>([
    ['a', []],
    ['b', []],
  ])
  #held: ReturnType<typeof completion>[] = []
  #nextId = 1

  known(): Known {
    const requests = new Map(
      [...this.#requests].map(([name, rows]) => [name, candidates(...rows.toReversed())]),
    )
    const held = new Map(
      ['a', 'b'].map((name) => [
        name,
        this.#held.filter(({ completion }) => completion.correlation_id === name),
      ]),
    )
    return known(structuredClone({ nextId: this.#nextId, requests, held }))
  }

  apply({ inserted, completed, held, released }: Changes): void {
    for (const { id, event, segmentId, byteOffset } of inserted) {
      const { attempt = null, streaming, success, input_tokens, output_tokens, cost_sats, latency_ms } = event
      const counted = { attempt, streaming, success, input_tokens, output_tokens, cost_sats, latency_ms }
      const row = stored(id, { ...counted, timestamp: event.timestamp, place: { segmentId, byteOffset } })
      this.#requests.get(event.correlation_id)?.push(row)
      this.#nextId = id + 1
    }
    for (const { after } of completed) {
      for (const rows of this.#requests.values()) {
        const index = rows.findIndex(({ id }) => id === after.id)
        if (index !== -1) rows[index] = after
      }
    }
    const gone = new Set(released.map(({ byteOffset }) => byteOffset))
    this.#held = [...this.#held.filter(({ place }) => !gone.has(place.byteOffset)), ...held]
    this.#held.sort((a, b) => a.place.byteOffset - b.place.byteOffset)
  }

  rows(): unknown {
    return { requests: this.#requests, held: this.#held }
  }
}

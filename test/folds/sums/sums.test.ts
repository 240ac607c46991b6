import { describe, expect, test } from 'vitest'
import { emptyChanges } from '../../../src/folds/changes.js'
import { fold } from '../../../src/folds/requests.js'
import { SUMS, type SumName } from '../../../src/folds/sums/rollup-cells.js'
import { type SumChanges, Sums } from '../../../src/folds/sums/sums.js'
import { candidates, ended, frozen, known, logged, SEGMENT, stored } from '../given.js'

/** The sums of the only hour and dimension that changed. */
function onlySums({ rollups }: SumChanges): Record<SumName, number> {
  const [changes] = rollups
  expect(rollups).toHaveLength(1)
  expect(changes?.dimensions).toHaveLength(1)
  const [cell] = changes?.dimensions[0]?.hours.values() ?? []
  const sums = changes?.cells.rollup(cell ?? -1).sums ?? []
  return Object.fromEntries(SUMS.map((name, index) => [name, sums[index]])) as Record<SumName, number>
}

const request = { streaming: true, provider: 'p', policy: 'fast', input_tokens: 10, latency_ms: 20 }

test('a request is added to the hour of its dimension, to the counters and to its policy’s ratio', () => {
  const sums = new Sums(['tier'])
  const full = { ...request, output_tokens: 5, cost_sats: 1.25, labels: { tier: 'gold', team: 'x' } }
  sums.add(frozen(fold(known(), [logged('a', 0, full)])))
  const taken = sums.take()
  expect(taken.ratios).toEqual([{ policy: 'fast', millionths: 500_000n, samples: 1 }])
  expect(taken.rollups[0]?.dimensions).toMatchObject([
    { model: 'm', provider: 'p', policy: 'fast', labels: { tier: 'gold' }, counters: { requests: 1 } },
  ])
  expect(onlySums(taken)).toMatchObject({
    ...{ requests: 1, streams: 1, failures: 0, unpriced: 0, input_tokens: 10, output_tokens: 5 },
    ...{ cost_sats: 1, cost_nanosats: 250_000_000, latency_ms: 20 },
  })
})

test('what was taken is counted once', () => {
  const sums = new Sums([])
  sums.add(fold(known(), [logged('a', 0, request)]))
  expect(onlySums(sums.take()).requests).toBe(1)
  expect(sums.take()).toEqual({ ratios: [], rollups: [] })
})

describe('a completion', () => {
  const before = stored(1, { input_tokens: 10, output_tokens: 9, policy: 'fast' })
  const given = known({ requests: new Map([['a', candidates(before)]]) })
  const changes = fold(given, [ended('a', 50, { input_tokens: 10, output_tokens: 5, success: false })])

  test('corrects the sums; a counter that would fall says so instead', () => {
    const sums = new Sums([])
    sums.add(frozen(changes))
    const taken = sums.take()
    expect(onlySums(taken)).toMatchObject({ requests: 0, failures: 1, failed_streams: 1, output_tokens: -4 })
    expect(taken.ratios).toEqual([{ policy: 'fast', millionths: -900_000n, samples: -1 }])
    expect(taken.rollups[0]?.dimensions[0]?.counters).toMatchObject({
      ...{ requests: 0, failures: 1, output_tokens: 0 },
      corrected: { output_tokens: 4 },
    })
  })

  test('of lines that the counters have already leaves them', () => {
    const sums = new Sums([], () => false)
    sums.add(changes)
    const counters = sums.take().rollups[0]?.dimensions[0]?.counters
    expect(counters).toMatchObject({ failures: 0, corrected: { output_tokens: 0 } })
  })

  test('that was held is counted with the new request it changes', () => {
    const place = { segmentId: SEGMENT, byteOffset: 99 }
    const sums = new Sums([], ({ byteOffset }) => byteOffset === 99)
    const [completed] = changes.completed
    if (completed === undefined) throw new Error('nothing was completed')
    sums.add({ ...emptyChanges(), completed: [{ ...completed, before: { ...before, place } }] })
    expect(sums.take().rollups[0]?.dimensions[0]?.counters.failures).toBe(1)
  })

  test('of a row that the sums don’t have changes none', () => {
    const row = stored(1, { isInSums: false, place: null })
    const sums = new Sums([])
    sums.add(fold(known({ requests: new Map([['a', candidates(row)]]) }), [ended('a', 50)]))
    expect(sums.take()).toEqual({ ratios: [], rollups: [] })
  })
})

test('a request that is removed leaves what was there before it', () => {
  const sums = new Sums([])
  const row = stored(1, { input_tokens: 4, output_tokens: 2, policy: 'fast' })
  sums.remove(frozen(row))
  const taken = sums.take()
  expect(onlySums(taken)).toMatchObject({ requests: -1, input_tokens: -4, output_tokens: -2 })
  expect(taken.ratios).toEqual([{ policy: 'fast', millionths: -500_000n, samples: -1 }])
  expect(taken.rollups[0]?.dimensions[0]?.counters).toMatchObject({ requests: 0, input_tokens: 0 })
})

test('sums that would not be exact any more are closed, and come as several', () => {
  const sums = new Sums([])
  const huge = { ...request, input_tokens: 1e12, output_tokens: 1e12, cost_sats: 1e12 }
  for (let index = 0; index < 2000; index++) sums.add(fold(known(), [logged('a', index, huge)]))
  expect(sums.isFull).toBe(true)
  const { rollups } = sums.take()
  expect(rollups.length).toBeGreaterThan(1)
  const counted = rollups.flatMap(({ dimensions }) => dimensions.map(({ counters }) => counters.requests))
  expect(counted.reduce((sum, requests) => sum + requests, 0)).toBe(2000)
})

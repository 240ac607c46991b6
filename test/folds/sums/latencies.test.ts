import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  BUCKETS,
  bucketOf,
  encodeSorted,
  type Latencies,
  LatencyHistogram,
  mergeLatencies,
  middleOf,
  PERCENTILE_ERROR,
} from '../../../src/folds/sums/latencies.js'

/** By way of the list that the fold keeps: above the bucket is the number of an hour. */
function stored(latencies: readonly number[], hour = 0): Latencies {
  const sorted = Uint32Array.from(latencies, (ms) => hour * BUCKETS + bucketOf(ms)).sort()
  return encodeSorted(sorted, 0, sorted.length)
}

const SHARES = [0, 0.5, 0.95, 0.99, 1]

function percentilesOf(histogram: LatencyHistogram): (number | null)[] {
  return SHARES.map((share) => histogram.percentile(share))
}

function histogramOf(latencies: readonly number[]): LatencyHistogram {
  const histogram = new LatencyHistogram()
  for (const ms of latencies) histogram.add(ms)
  return histogram
}

const latency = fc.oneof(fc.integer({ min: 0, max: 200_000 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }))

test('buckets are in the order of latencies, without a gap', () => {
  const steps = new Set<number>()
  for (let ms = 1; ms < 300_000; ms++) steps.add(bucketOf(ms) - bucketOf(ms - 1))
  expect([...steps].sort()).toEqual([0, 1])
  expect(bucketOf(2 ** 32 - 1)).toBe(BUCKETS - 1)
  expect(bucketOf(2 ** 53 - 1)).toBe(BUCKETS - 1)
  expect(bucketOf(-1)).toBe(0)
})

test('below 64 ms a bucket is a millisecond', () => {
  for (let ms = 0; ms < 64; ms++) expect(middleOf(bucketOf(ms))).toBe(ms)
})

test('the middle of a bucket is within the bound of all that is in it', () => {
  fc.assert(
    fc.property(latency, (ms) => {
      expect(Math.abs(middleOf(bucketOf(ms)) - ms)).toBeLessThanOrEqual(ms * PERCENTILE_ERROR)
    }),
  )
})

test('what is stored is six bytes for each bucket, in order: its number and its count, big-endian', () => {
  expect(stored([5, 64, 5, 65, 5, 65_536], 7)).toEqual(
    Buffer.from([
      0,
      5,
      0,
      0,
      0,
      3,
      0,
      64,
      0,
      0,
      0,
      2,
      bucketOf(65_536) >> 8,
      bucketOf(65_536) & 255,
      0,
      0,
      0,
      1,
    ]),
  )
  expect(stored([])).toEqual(Buffer.alloc(0))
})

test('what is stored comes back', () => {
  fc.assert(
    fc.property(fc.array(latency), fc.nat(1000), (latencies, hour) => {
      const histogram = new LatencyHistogram()
      histogram.addStored(stored(latencies, hour))
      expect(percentilesOf(histogram)).toEqual(percentilesOf(histogramOf(latencies)))
      expect(histogram.encode()).toEqual(stored(latencies))
      histogram.clear()
      expect(histogram.encode()).toEqual(Buffer.alloc(0))
    }),
  )
})

test('two that are merged are as one of all, and one that is taken out leaves the rest', () => {
  fc.assert(
    fc.property(fc.array(latency), fc.array(latency), (one, other) => {
      const both = stored([...one, ...other])
      expect(mergeLatencies(stored(one), stored(other), 1)).toEqual(both)
      expect(mergeLatencies(both, stored(other), -1)).toEqual(stored(one))
    }),
  )
})

test('a percentile is the one by nearest rank, within the bound', () => {
  const shares = fc.constantFrom(0.01, 0.5, 0.95, 0.99, 1)
  fc.assert(
    fc.property(fc.array(latency, { minLength: 1 }), shares, (latencies, share) => {
      const histogram = new LatencyHistogram()
      for (const ms of latencies) histogram.add(ms)
      const sorted = latencies.toSorted((a, b) => a - b)
      const exact = sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN
      const found = histogram.percentile(share) ?? Number.NaN
      expect(Math.abs(found - exact)).toBeLessThanOrEqual(exact * PERCENTILE_ERROR)
    }),
  )
})

test('no requests have no percentile', () => {
  expect(new LatencyHistogram().percentile(0.5)).toBeNull()
})

test('what was added and taken away again leaves the percentiles of the rest', () => {
  fc.assert(
    fc.property(fc.array(latency), fc.array(latency), fc.array(latency), (kept, one, more) => {
      const histogram = histogramOf(one)
      histogram.addStored(stored(more))
      histogram.addHistogram(histogramOf(kept))
      for (const ms of one) histogram.add(ms, -1)
      histogram.addStored(stored(more), -1)
      expect(percentilesOf(histogram)).toEqual(percentilesOf(histogramOf(kept)))
    }),
  )
})

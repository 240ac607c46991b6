import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  addBuckets,
  bucketOf,
  encodeBuckets,
  LATENCY_BUCKETS,
  LatencyHistogram,
  middleOf,
  PERCENTILE_ERROR,
} from '../../src/storage/latency-histogram.js'

const latency = fc.oneof(fc.integer({ min: 0, max: 200_000 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }))

test('buckets are in the order of latencies, without a gap', () => {
  let last = 0
  for (let ms = 1; ms < 300_000; ms++) {
    const bucket = bucketOf(ms)
    expect(bucket - last === 0 || bucket - last === 1).toBe(true)
    last = bucket
  }
  expect(bucketOf(2 ** 32 - 1)).toBe(LATENCY_BUCKETS - 1)
  expect(bucketOf(2 ** 53 - 1)).toBe(LATENCY_BUCKETS - 1)
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

test('what is stored comes back, added', () => {
  fc.assert(
    fc.property(fc.array(latency), (latencies) => {
      const counts = new Map<number, number>()
      const histogram = new LatencyHistogram()
      for (const ms of latencies) {
        counts.set(bucketOf(ms), (counts.get(bucketOf(ms)) ?? 0) + 1)
        histogram.add(ms)
      }
      const again = new Map<number, number>()
      addBuckets(again, encodeBuckets(counts))
      expect(again).toEqual(counts)
      const stored = new LatencyHistogram()
      stored.addStored(encodeBuckets(counts))
      for (const share of [0, 0.5, 0.95, 0.99, 1]) {
        expect(stored.percentile(share)).toBe(histogram.percentile(share))
      }
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
    fc.property(fc.array(latency), fc.array(latency), fc.array(latency), (kept, one, stored) => {
      const histogram = new LatencyHistogram()
      const counts = new Map<number, number>()
      for (const ms of stored) counts.set(bucketOf(ms), (counts.get(bucketOf(ms)) ?? 0) + 1)
      histogram.addStored(encodeBuckets(counts))
      for (const ms of one) histogram.add(ms)
      const rest = new LatencyHistogram()
      for (const ms of kept) rest.add(ms)
      histogram.addHistogram(rest)
      for (const ms of one) histogram.add(ms, -1)
      histogram.addStored(encodeBuckets(counts), -1)
      for (const share of [0, 0.5, 0.99, 1]) expect(histogram.percentile(share)).toBe(rest.percentile(share))
    }),
  )
})

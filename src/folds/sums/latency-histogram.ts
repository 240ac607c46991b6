import {
  addStoredCounts,
  encodeCounts,
  filledBuckets,
  forEachStored,
  type Latencies,
} from './latency-bytes.js'
import { MAX_LATENCY_MS } from './sum-limits.js'

// Counts latencies in buckets, from which percentiles are computed.

/** Latencies below this have a bucket for each millisecond. */
const EXACT_MS = 64
/**
 * How many bits after a latency's highest one choose the bucket: each power of two is cut into 32.
 */
const SUB_BITS = 5
const SUB_BUCKETS = 1 << SUB_BITS

/**
 * How far a percentile may be from the latency that it represents, as a share of that latency: half
 * a bucket, which is at most a 64th.
 */
export const PERCENTILE_ERROR = 1 / 64

/** How many buckets cover every possible latency; the first one is 0. */
export const LATENCY_BUCKETS = bucketOf(MAX_LATENCY_MS) + 1

/**
 * Returns the bucket of a latency in milliseconds. It uses integer arithmetic, so that the
 * migration's SQL gives the same.
 */
export function bucketOf(latencyMs: number): number {
  const ms = Math.max(0, Math.min(latencyMs, MAX_LATENCY_MS))
  if (ms < EXACT_MS) return Math.trunc(ms)
  const exponent = 31 - Math.clz32(ms)
  return EXACT_MS + (exponent - 6) * SUB_BUCKETS + (ms >>> (exponent - SUB_BITS)) - SUB_BUCKETS
}

/** The middle of a bucket, in milliseconds. */
export function middleOf(bucket: number): number {
  if (bucket < EXACT_MS) return bucket
  const octave = Math.trunc((bucket - EXACT_MS) / SUB_BUCKETS)
  const width = 2 ** (octave + 1)
  const lowest = (SUB_BUCKETS + ((bucket - EXACT_MS) % SUB_BUCKETS)) * width
  return lowest + (width - 1) / 2
}

/**
 * A histogram with more filled buckets than this is an array of all buckets instead of a map, which
 * takes about 32 bytes for each.
 */
const MAX_SPARSE = 64

/**
 * The latencies of many requests, from which percentiles are computed. There may be a histogram for
 * each of many thousand groups.
 */
export class LatencyHistogram {
  #sparse: Map<number, number> | null = new Map()
  /**
   * The counts of all buckets as an array, since a month's answer adds millions of stored counts.
   */
  #counts: Float64Array | null = null
  #total = 0

  /** @param sign -1 takes a latency out. */
  add(latencyMs: number, sign: 1 | -1 = 1): void {
    this.#add(bucketOf(latencyMs), sign)
    this.#total += sign
  }

  addHistogram(other: LatencyHistogram, sign: 1 | -1 = 1): void {
    for (const [bucket, count] of other.#filled()) this.#add(bucket, sign * count)
    this.#total += sign * other.#total
  }

  /** Adds the latencies of a row of `rollup_latencies`, or takes them away. */
  addStored(stored: Latencies, sign: 1 | -1 = 1): void {
    const counts = this.#counts ?? (filledBuckets(stored) > MAX_SPARSE ? this.#densify() : null)
    if (counts !== null) this.#total += addStoredCounts(counts, stored, sign)
    else {
      forEachStored(stored, (bucket, count) => {
        this.#add(bucket, sign * count)
        this.#total += sign * count
      })
    }
  }

  /** Returns the latencies as they are stored. */
  encode(): Latencies {
    return encodeCounts(this.#counts ?? this.#densify())
  }

  clear(): void {
    this.#sparse?.clear()
    this.#counts?.fill(0)
    this.#total = 0
  }

  /**
   * The latency that a share of requests doesn't exceed (nearest rank), within
   * {@link PERCENTILE_ERROR}; null for no requests.
   *
   * @param share 0.95 for p95.
   */
  percentile(share: number): number | null {
    if (this.#total === 0) return null
    const rank = Math.max(1, Math.ceil(share * this.#total))
    let seen = 0
    for (const [bucket, count] of this.#filled()) {
      seen += count
      if (seen >= rank) return middleOf(bucket)
    }
    throw new Error('unreachable: the counts of all buckets add up to less than the total')
  }

  #add(bucket: number, change: number): void {
    if (this.#sparse !== null) {
      this.#sparse.set(bucket, (this.#sparse.get(bucket) ?? 0) + change)
      if (this.#sparse.size > MAX_SPARSE) this.#densify()
    } else if (this.#counts !== null) this.#counts[bucket] = (this.#counts[bucket] ?? 0) + change
  }

  #densify(): Float64Array {
    const counts = new Float64Array(LATENCY_BUCKETS)
    for (const [bucket, count] of this.#sparse ?? []) counts[bucket] = count
    this.#sparse = null
    this.#counts = counts
    return counts
  }

  /** The buckets and their counts, in order. */
  #filled(): Iterable<[number, number]> {
    if (this.#counts !== null) return this.#counts.entries()
    return [...(this.#sparse ?? [])].sort(([a], [b]) => a - b)
  }
}

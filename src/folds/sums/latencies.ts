// Counts latencies in buckets, from which percentiles are computed, and encodes those counts.
import { MAX_LATENCY_MS } from './counted-values.js'

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
export const BUCKETS = bucketOf(MAX_LATENCY_MS) + 1

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
  #sparse = new Map<number, number>()
  /**
   * The counts of all buckets, in an array, because an answer about a month adds millions of
   * entries; null while `#sparse` is used.
   */
  #counts: Float64Array | null = null
  #total = 0

  /** @param sign -1 takes a latency out. */
  add(latencyMs: number, sign: 1 | -1 = 1): void {
    this.#add(bucketOf(latencyMs), sign)
  }

  addHistogram(other: LatencyHistogram, sign: 1 | -1 = 1): void {
    for (const [bucket, count] of other.#filled()) this.#add(bucket, sign * count)
  }

  /** Adds the latencies of a row of `rollup_latencies`, or takes them away. */
  addStored(stored: Latencies, sign: 1 | -1 = 1): void {
    for (let at = 0; at < stored.length; at += ENTRY_BYTES) {
      this.#add(bucketAt(stored, at), sign * countAt(stored, at))
    }
  }

  /** Returns the latencies as they are stored. */
  encode(): Latencies {
    const bytes = Buffer.allocUnsafe(BUCKETS * ENTRY_BYTES)
    let at = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = this.#counts?.[bucket] ?? this.#sparse.get(bucket) ?? 0
      if (count !== 0) at = writeEntry(bytes, at, bucket, count)
    }
    return Buffer.from(bytes.subarray(0, at))
  }

  clear(): void {
    this.#sparse.clear()
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
    this.#total += change
    const counts = this.#counts
    if (counts !== null) {
      counts[bucket] = (counts[bucket] ?? 0) + change
      return
    }
    this.#sparse.set(bucket, (this.#sparse.get(bucket) ?? 0) + change)
    if (this.#sparse.size <= MAX_SPARSE) return
    this.#counts = new Float64Array(BUCKETS)
    for (const [filled, count] of this.#sparse) this.#counts[filled] = count
    this.#sparse.clear()
  }

  /** The buckets and their counts, in order. */
  #filled(): Iterable<[number, number]> {
    return this.#counts?.entries() ?? [...this.#sparse].sort(([a], [b]) => a - b)
  }
}

/**
 * Latencies as `rollup_latencies` keeps them: `ENTRY_BYTES` for each bucket that isn't empty, in
 * order.
 */
export type Latencies = Buffer

/** Two bytes for the bucket's number and four for its count, the most significant one first. */
const ENTRY_BYTES = 6

/**
 * Encodes the latencies of the requests from one index up to, but not including, another.
 *
 * @param sorted for each request its bucket plus a multiple of `BUCKETS`, which is the same for all
 *   of them; in ascending order.
 */
export function encodeSorted(sorted: Uint32Array, from: number, to: number): Latencies {
  const bytes = Buffer.allocUnsafe(Math.min(to - from, BUCKETS) * ENTRY_BYTES)
  let at = 0
  for (let index = from; index < to; ) {
    const first = index
    while (index < to && sorted[index] === sorted[first]) index++
    at = writeEntry(bytes, at, (sorted[first] ?? 0) % BUCKETS, index - first)
  }
  return bytes.subarray(0, at)
}

/** Returns the first latencies with the second added or subtracted. */
export function mergeLatencies(one: Latencies, other: Latencies, sign: 1 | -1): Latencies {
  const bytes = Buffer.allocUnsafe(one.length + other.length)
  let [at, a, b] = [0, 0, 0]
  while (a < one.length || b < other.length) {
    const bucketOfOne = a < one.length ? bucketAt(one, a) : Infinity
    const bucketOfOther = b < other.length ? bucketAt(other, b) : Infinity
    const bucket = Math.min(bucketOfOne, bucketOfOther)
    let count = 0
    if (bucketOfOne === bucket) {
      count += countAt(one, a)
      a += ENTRY_BYTES
    }
    if (bucketOfOther === bucket) {
      count += sign * countAt(other, b)
      b += ENTRY_BYTES
    }
    if (count !== 0) at = writeEntry(bytes, at, bucket, count)
  }
  return bytes.subarray(0, at)
}

/** Writes an entry, and returns where the next one begins. */
function writeEntry(bytes: Buffer, at: number, bucket: number, count: number): number {
  bytes.writeUInt16BE(bucket, at)
  return bytes.writeUInt32BE(count, at + 2)
}

// Reads byte by byte, because an answer about a month reads millions of entries, and readUInt16BE
// with readUInt32BE took three times as long.
function bucketAt(bytes: Buffer, at: number): number {
  return (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1)
}

function countAt(bytes: Buffer, at: number): number {
  const high = (byteAt(bytes, at + 2) << 8) | byteAt(bytes, at + 3)
  return high * 65_536 + ((byteAt(bytes, at + 4) << 8) | byteAt(bytes, at + 5))
}

function byteAt(bytes: Buffer, at: number): number {
  return bytes[at] ?? 0
}

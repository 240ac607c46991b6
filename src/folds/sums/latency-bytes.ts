/**
 * Latencies as `rollup_latencies` keeps them: `ENTRY_BYTES` for each bucket that isn't empty, in
 * order.
 */
export type Latencies = Buffer

/** Two bytes for the bucket's number and four for its count, the most significant one first. */
const ENTRY_BYTES = 6

/** A bucket's number is less than this. */
export const BUCKETS = 1024

/** @param counts how many requests each bucket has. */
export function encodeCounts(counts: Float64Array): Latencies {
  let filled = 0
  for (let bucket = 0; bucket < counts.length; bucket++) if (counts[bucket] !== 0) filled++
  const bytes = Buffer.allocUnsafe(filled * ENTRY_BYTES)
  let at = 0
  for (let bucket = 0; bucket < counts.length; bucket++) {
    const count = counts[bucket] ?? 0
    if (count !== 0) at = writeEntry(bytes, at, bucket, count)
  }
  return bytes
}

/**
 * Stores the latencies of the requests from one index up to, but not including, another.
 *
 * @param sorted for each request its bucket plus a multiple of `BUCKETS`, which is the same for all
 *   of them; in ascending order.
 */
export function encodeSorted(sorted: Uint32Array, from: number, to: number): Latencies {
  let filled = 0
  for (let index = from; index < to; index++)
    if (sorted[index] !== sorted[index - 1] || index === from) filled++
  const bytes = Buffer.allocUnsafe(filled * ENTRY_BYTES)
  let at = 0
  for (let index = from; index < to; ) {
    const first = index
    while (index < to && sorted[index] === sorted[first]) index++
    at = writeEntry(bytes, at, (sorted[first] ?? 0) % BUCKETS, index - first)
  }
  return bytes
}

/**
 * Adds to counts by bucket, or takes from them.
 *
 * @returns the change of their sum.
 */
export function addStoredCounts(counts: Float64Array, stored: Latencies, sign: 1 | -1): number {
  let total = 0
  for (let at = 0; at < stored.length; at += ENTRY_BYTES) {
    const bucket = bucketAt(stored, at)
    const count = sign * countAt(stored, at)
    counts[bucket] = (counts[bucket] ?? 0) + count
    total += count
  }
  return total
}

/** How many buckets are filled. */
export function filledBuckets(stored: Latencies): number {
  return stored.length / ENTRY_BYTES
}

export function forEachStored(stored: Latencies, use: (bucket: number, count: number) => void): void {
  for (let at = 0; at < stored.length; at += ENTRY_BYTES) use(bucketAt(stored, at), countAt(stored, at))
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

// Reads byte by byte, because a month's answer reads millions of entries, and readUInt16BE with
// readUInt32BE took three times as long.
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

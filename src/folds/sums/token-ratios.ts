import type { CountedRequest } from '../stored-request.js'

/**
 * The fold of `token_ratios`: the mean of output_tokens / input_tokens over a policy's successful
 * requests that have both, with an input above 0. It sums integer millionths, so that the same
 * requests have the same mean, in whatever order they came and whether or not they were corrected.
 */
export class RatioSums {
  #changes = new Map<string, { carried: bigint; millionths: number; samples: number }>()
  #bufferedBytes = 0

  /** Whether so much has been collected that the caller should call `take`. */
  get isFull(): boolean {
    return this.#bufferedBytes > MAX_BUFFERED_BYTES
  }

  add(sample: RatioSample): void {
    this.#change(sample, 1)
  }

  /** Takes back a sample that was added before. */
  subtract(sample: RatioSample): void {
    this.#change(sample, -1)
  }

  /** Returns the changes that were collected, and starts over with none. */
  take(): RatioChange[] {
    const taken: RatioChange[] = []
    for (const [policy, { carried, millionths: rest, samples }] of this.#changes) {
      const millionths = carried + BigInt(rest)
      if (millionths !== 0n || samples !== 0) taken.push({ policy, millionths, samples })
    }
    this.#changes = new Map()
    this.#bufferedBytes = 0
    return taken
  }

  #change(sample: RatioSample, sign: 1 | -1): void {
    const millionths = ratioMillionths(sample)
    if (millionths === null || sample.policy === null) return
    let change = this.#changes.get(sample.policy)
    if (change === undefined) {
      this.#bufferedBytes += sample.policy.length + CHANGE_BYTES
      change = { carried: 0n, millionths: 0, samples: 0 }
      this.#changes.set(sample.policy, change)
    }
    change.millionths += sign * millionths
    change.samples += sign
    if (Math.abs(change.millionths) > MAX_UNCARRIED) {
      change.carried += BigInt(change.millionths)
      change.millionths = 0
    }
  }
}

const MILLIONTHS = 1_000_000

/**
 * The largest ratio; a larger one is cut to it. No model answers one token with a million, and with
 * this limit the sum of nine million samples still fits SQLite's integers.
 */
const MAX_RATIO = 1_000_000

/** A larger sum is carried into its bigint, so that one more sample stays below 2^53. */
const MAX_UNCARRIED = 2 ** 52

/**
 * How many bytes of changes are buffered before they are written. A policy takes the bytes of its
 * name and about 100 more.
 */
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024
const CHANGE_BYTES = 100

/** How much the sum and the count of a policy change. */
export interface RatioChange {
  policy: string
  /** The sum of a whole journal may be larger than 2^53. */
  millionths: bigint
  samples: number
}

/** The values of a request that its ratio depends on. */
export type RatioSample = Pick<CountedRequest, 'policy' | 'input_tokens' | 'output_tokens' | 'success'>

/** Returns the ratio in millionths; null for a request that isn't a sample. */
export function ratioMillionths({ input_tokens, output_tokens, success }: RatioSample): number | null {
  if (!success || input_tokens === null || output_tokens === null || input_tokens === 0) return null
  return Math.round(Math.min(output_tokens / input_tokens, MAX_RATIO) * MILLIONTHS)
}

import type { ProjectionTables } from '../store/sqlite/projection-tables.js'

const MILLIONTHS = 1_000_000

/**
 * A ratio above a million is cut to it: no model answers a token with a million, and so the sum of nine million such
 * samples still fits SQLite's integers.
 */
const MAX_RATIO = 1_000_000

/** From here on a sum is carried into its bigint: one more sample stays below 2^53. */
const MAX_UNCARRIED = 2 ** 52

/** Bytes of changes that are held before they are written; a policy takes its name's and about 100 more. */
const MAX_HELD_BYTES = 8 * 1024 * 1024
const CHANGE_BYTES = 100

interface RatioChange {
  /** The sum of a whole journal may be larger than 2^53. */
  carried: bigint
  /** What has come since. */
  millionths: number
  samples: number
}

/** What a request counts for, before and after a completion alike. */
export interface RatioSample {
  policy: string | null
  input_tokens: number | null
  output_tokens: number | null
  success: boolean
}

/**
 * The fold of `token_ratios`: the mean of output_tokens / input_tokens over a policy's successful requests that have
 * both, input > 0. Integer millionths, so that the order of events, replays and corrections can't change a mean.
 * Collects the changes of one transaction and writes them when they are many, and when `apply` is called.
 */
export class TokenRatioChanges {
  readonly #tables: Pick<ProjectionTables, 'addToTokenRatio'>
  readonly #changes = new Map<string, RatioChange>()
  #heldBytes = 0

  constructor(tables: Pick<ProjectionTables, 'addToTokenRatio'>) {
    this.#tables = tables
  }

  add(sample: RatioSample): void {
    this.#change(sample, 1)
  }

  /** Takes a sample back that was added before. */
  subtract(sample: RatioSample): void {
    this.#change(sample, -1)
  }

  /** Writes the collected changes. */
  apply(): void {
    for (const [policy, { carried, millionths: rest, samples }] of this.#changes) {
      const millionths = carried + BigInt(rest)
      if (millionths !== 0n || samples !== 0) this.#tables.addToTokenRatio(policy, millionths, samples)
    }
    this.#changes.clear()
    this.#heldBytes = 0
  }

  #change(sample: RatioSample, sign: 1 | -1): void {
    const millionths = ratioMillionths(sample)
    if (millionths === null || sample.policy === null) return
    let change = this.#changes.get(sample.policy)
    if (change === undefined) {
      this.#heldBytes += sample.policy.length + CHANGE_BYTES
      if (this.#heldBytes > MAX_HELD_BYTES) this.apply()
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

/** Null: the request is no sample. */
export function ratioMillionths({ input_tokens, output_tokens, success }: RatioSample): number | null {
  if (!success || input_tokens === null || output_tokens === null || input_tokens === 0) return null
  return Math.round(Math.min(output_tokens / input_tokens, MAX_RATIO) * MILLIONTHS)
}

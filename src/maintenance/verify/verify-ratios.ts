import { type RatioSample, ratioMillionths } from '../../folds/token-ratios.js'
import { differingColumns } from './row-comparer.js'
import { asColumns, asNumber, type ProblemList } from './verify-problems.js'
import type { Snapshot } from './verify-snapshot.js'

/** What the token ratios should be, by the journal's own values. */
export class ExpectedRatios {
  /** bigint: a sum may be larger than 2^53. */
  readonly #sums = new Map<string, { millionths: bigint; samples: bigint }>()

  add(sample: RatioSample): void {
    const millionths = ratioMillionths(sample)
    if (millionths !== null && sample.policy !== null) this.#add(sample.policy, BigInt(millionths), 1n)
  }

  compare(snapshot: Snapshot, problems: ProblemList): void {
    for (const { policy, ratio_millionths, sample_count } of snapshot.unjournaledRatios()) {
      this.#add(policy, ratio_millionths, sample_count)
    }
    const rows = new Map(snapshot.ratios().map((row) => [row.policy, row]))
    for (const policy of new Set([...this.#sums.keys(), ...rows.keys()])) {
      const differences = differingColumns(this.#expected(policy), rows.get(policy) ?? NO_RATIO)
      if (differences.length === 0) continue
      problems.add({
        kind: 'ratio',
        segment: null,
        byte_offset: null,
        detail: `the token ratio of the policy ${JSON.stringify(policy)} isn't what its requests give`,
        columns: asColumns(
          differences.map(({ column, expected, found }) => ({
            column,
            expected: asNumber(expected),
            found: asNumber(found),
          })),
        ),
      })
    }
  }

  #add(policy: string, millionths: bigint, samples: bigint): void {
    const sum = this.#sums.get(policy)
    if (sum === undefined) {
      this.#sums.set(policy, { millionths, samples })
    } else {
      sum.millionths += millionths
      sum.samples += samples
    }
  }

  #expected(policy: string): Record<string, bigint | number | null> {
    const sum = this.#sums.get(policy)
    if (sum === undefined) return NO_RATIO
    const { millionths, samples } = sum
    return {
      ratio_millionths: millionths,
      samples,
      // As SQLite computes it.
      avg_ratio: Number(millionths) / 1e6 / Number(samples),
      sample_count: samples,
    }
  }
}

const NO_RATIO = { ratio_millionths: null, samples: null, avg_ratio: null, sample_count: null }

/**
 * The value below which that share of the sorted values lies (nearest rank).
 *
 * @param {ArrayLike<number>} sorted ascending, not empty
 * @param {number} share 0 to 1
 * @returns {number}
 */
export function quantile(sorted, share) {
  if (sorted.length === 0) throw new Error('there is no quantile of no values')
  const rank = Math.ceil(share * sorted.length)
  return Number(sorted[Math.min(sorted.length, Math.max(1, rank)) - 1])
}

/**
 * The middle value; of an even number of them the mean of the two in the middle.
 *
 * @param {readonly number[]} values not empty
 * @returns {number}
 */
export function median(values) {
  if (values.length === 0) throw new Error('there is no median of no values')
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = Number(sorted[middle])
  return sorted.length % 2 === 1 ? upper : (Number(sorted[middle - 1]) + upper) / 2
}

/**
 * @typedef {{ median: number, min: number, max: number }} Summary over the rounds
 *
 * @param {readonly number[]} values one a round
 * @returns {Summary}
 */
export function summarize(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/**
 * The statistics of every round together: `[{ mean: 1 }, { mean: 3 }]` gives `{ mean: { median: 2, min: 1, max: 3 } }`.
 * One that a round doesn't have is left out of that round.
 *
 * @param {readonly Record<string, number>[]} rounds
 * @returns {Record<string, Summary>}
 */
export function summarizeRounds(rounds) {
  const names = new Set(rounds.flatMap((round) => Object.keys(round)))
  return Object.fromEntries(
    [...names].map((name) => {
      const values = rounds.flatMap((round) => (round[name] === undefined ? [] : [round[name]]))
      return [name, summarize(values)]
    }),
  )
}

/**
 * What one caller met: mean, p50, p99, p99.9 and max.
 *
 * @param {Float64Array} durations sorted in place
 * @returns {{ mean: number, p50: number, p99: number, p99_9: number, max: number }}
 */
export function distribution(durations) {
  durations.sort()
  const sum = durations.reduce((total, duration) => total + duration, 0)
  return {
    mean: sum / durations.length,
    p50: quantile(durations, 0.5),
    p99: quantile(durations, 0.99),
    p99_9: quantile(durations, 0.999),
    max: quantile(durations, 1),
  }
}

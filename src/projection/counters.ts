import { type CorrectableCounts, type CounterChanges, LATENCY_BOUNDS_MS } from '../storage/rollup-tables.js'

const CORRECTABLE = ['failures', 'unpriced', 'input_tokens', 'output_tokens'] as const

export function emptyCounters(): CounterChanges {
  return {
    requests: 0,
    latency_ms: 0,
    ...emptyCounts(),
    corrected: emptyCounts(),
    latencies: new Float64Array(LATENCY_BOUNDS_MS.length + 1),
  }
}

/** A request was projected for the first time. */
export function countRequest(counters: CounterChanges, latencyMs: number, outcome: CorrectableCounts): void {
  counters.requests++
  // Another program may have written a negative one.
  counters.latency_ms += Math.max(0, latencyMs)
  let index = 0
  while (latencyMs > (LATENCY_BOUNDS_MS[index] ?? Infinity)) index++
  counters.latencies[index] = (counters.latencies[index] ?? 0) + 1
  countCorrection(counters, outcome)
}

/** The outcome of a request is another one: counters grow by what is more, and what is less is counted as corrected. */
export function countCorrection(counters: CounterChanges, difference: CorrectableCounts): void {
  for (const name of CORRECTABLE) {
    const change = difference[name]
    if (change >= 0) counters[name] += change
    else counters.corrected[name] -= change
  }
  const { cost_sats, cost_nanosats } = difference
  // The parts of a difference may have different signs.
  const isMore = cost_sats * 1e9 + cost_nanosats >= 0
  const target = isMore ? counters : counters.corrected
  target.cost_sats += isMore ? cost_sats : -cost_sats
  target.cost_nanosats += isMore ? cost_nanosats : -cost_nanosats
}

function emptyCounts(): CorrectableCounts {
  return { failures: 0, unpriced: 0, input_tokens: 0, output_tokens: 0, cost_sats: 0, cost_nanosats: 0 }
}

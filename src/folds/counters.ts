import {
  type CorrectableCounts,
  type CounterChanges,
  LATENCY_BOUNDS_MS,
} from '../store/sqlite/rollups/rollup-tables.js'
import type { CostParts } from './cost-parts.js'
import type { CountedRequest } from './counted-request.js'

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
export function countRequest(counters: CounterChanges, request: CountedRequest, cost: CostParts): void {
  const latencyMs = request.latency_ms
  counters.requests++
  // Another program may have written a negative one.
  counters.latency_ms += Math.max(0, latencyMs)
  let index = 0
  while (latencyMs > (LATENCY_BOUNDS_MS[index] ?? Infinity)) index++
  counters.latencies[index] = (counters.latencies[index] ?? 0) + 1
  if (!request.success) counters.failures++
  if (request.cost_sats === null) counters.unpriced++
  countChange(counters, 'input_tokens', request.input_tokens ?? 0)
  countChange(counters, 'output_tokens', request.output_tokens ?? 0)
  countCost(counters, cost.sats, cost.nanosats)
}

/** The outcome of a request is another one: counters grow by what is more, and what is less is counted as corrected. */
export function countCorrection(counters: CounterChanges, difference: CorrectableCounts): void {
  for (const name of CORRECTABLE) countChange(counters, name, difference[name])
  countCost(counters, difference.cost_sats, difference.cost_nanosats)
}

/** Another program may have written a request with less than nothing, too. */
function countChange(counters: CounterChanges, name: (typeof CORRECTABLE)[number], change: number): void {
  if (change >= 0) counters[name] += change
  else counters.corrected[name] -= change
}

/** The parts of a difference may have different signs. */
function countCost(counters: CounterChanges, sats: number, nanosats: number): void {
  if (sats * 1e9 + nanosats >= 0) {
    counters.cost_sats += sats
    counters.cost_nanosats += nanosats
  } else {
    counters.corrected.cost_sats -= sats
    counters.corrected.cost_nanosats -= nanosats
  }
}

function emptyCounts(): CorrectableCounts {
  return { failures: 0, unpriced: 0, input_tokens: 0, output_tokens: 0, cost_sats: 0, cost_nanosats: 0 }
}

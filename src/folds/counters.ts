import type { CostParts } from './cost-parts.js'
import type { CountedRequest } from './request-types.js'

const CORRECTABLE_NUMBERS = ['failures', 'unpriced', 'input_tokens', 'output_tokens'] as const

export const CORRECTABLE = [
  'failures',
  'unpriced',
  'input_tokens',
  'output_tokens',
  'cost_sats',
  'cost_nanosats',
] as const satisfies readonly (keyof CorrectableCounts)[]

/** The counters that a completion can make smaller. */
export interface CorrectableCounts {
  failures: number
  unpriced: number
  input_tokens: number
  output_tokens: number
  cost_sats: number
  cost_nanosats: number
}

/**
 * How much counters grow. Nothing here is negative, except the billionths of a cost whose whole
 * satoshis outweigh them.
 */
export interface CounterChanges extends CorrectableCounts {
  requests: number
  latency_ms: number
  /** How much completions and negative costs have taken back. */
  corrected: CorrectableCounts
  /**
   * How many requests have a latency up to each of LATENCY_BOUNDS_MS and above the one before it;
   * the last number counts those above all bounds.
   */
  latencies: Float64Array
}

/**
 * Upper bounds, inclusive, of the latency counters. Prometheus needs them fixed: another set is
 * another metric.
 */
export const LATENCY_BOUNDS_MS = [
  50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000,
]

export function emptyCounters(): CounterChanges {
  return {
    requests: 0,
    latency_ms: 0,
    ...emptyCounts(),
    corrected: emptyCounts(),
    latencies: new Float64Array(LATENCY_BOUNDS_MS.length + 1),
  }
}

/** Counts a request that was projected for the first time. */
export function countRequest(counters: CounterChanges, request: CountedRequest, cost: CostParts): void {
  const latencyMs = request.latency_ms
  counters.requests++
  // Another program may have written a negative latency.
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

/**
 * Counts a request whose outcome has changed: an increase goes to the counters, a decrease to
 * `corrected`.
 */
export function countCorrection(counters: CounterChanges, difference: CorrectableCounts): void {
  for (const name of CORRECTABLE_NUMBERS) countChange(counters, name, difference[name])
  countCost(counters, difference.cost_sats, difference.cost_nanosats)
}

/** Counts a change. A row from before the journal may even hold a negative number. */
function countChange(
  counters: CounterChanges,
  name: (typeof CORRECTABLE_NUMBERS)[number],
  change: number,
): void {
  if (change >= 0) counters[name] += change
  else counters.corrected[name] -= change
}

/** Counts both parts of a cost together, because their signs may differ. */
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

import { LATENCY_BOUNDS_MS } from '../../../src/folds/sums/counters.js'
import type { RequestCounter } from '../../../src/queries/sums/counters.js'
import type { FileFigures, MetricsInput } from '../../../src/server/metrics/render-metrics.js'

/** A combination with these counts, and zero for all others. */
export function counter(fields: Partial<RequestCounter> = {}): RequestCounter {
  return {
    journal: null,
    model: 'gpt-4o',
    provider: 'east',
    policy: null,
    requests: 0n,
    failures: 0n,
    unpriced: 0n,
    input_tokens: 0n,
    output_tokens: 0n,
    cost_nanosats: 0n,
    latency_ms: 0n,
    corrected_failures: 0n,
    corrected_unpriced: 0n,
    corrected_input_tokens: 0n,
    corrected_output_tokens: 0n,
    corrected_cost_nanosats: 0n,
    unpriced_usd: 0n,
    cache_read_input_tokens: 0n,
    cache_creation_input_tokens: 0n,
    reasoning_output_tokens: 0n,
    cost_nanousd: 0n,
    corrected_unpriced_usd: 0n,
    corrected_cache_read_input_tokens: 0n,
    corrected_cache_creation_input_tokens: 0n,
    corrected_reasoning_output_tokens: 0n,
    corrected_cost_nanousd: 0n,
    latencies: LATENCY_BOUNDS_MS.map(() => 0n),
    ...fields,
  }
}

/** The input of a page where nothing is wrong. */
export function metricsInput(
  fields: Partial<Omit<MetricsInput, 'projection'>> = {},
  figures: Partial<FileFigures> = {},
): MetricsInput {
  return {
    version: '1.2.3',
    requests: { combinations: [counter({ requests: 1n })], others: null },
    projection: { ...FIGURES, ...figures },
    ...fields,
  }
}

const FIGURES: FileFigures = {
  is: 'file',
  counts: { events: 1, rejected: 0, late: 0, unchecked: 0, held: 0 },
  isProjectorUp: true,
  journal: {
    lagSeconds: 0,
    lagBytes: 0,
    bytes: 400,
    segments: 1,
    distrusted: 0,
    problems: 0,
    toReprice: 0,
  },
  databaseBytes: 98_304,
  walBytes: 0,
}

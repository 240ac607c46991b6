import { LATENCY_BOUNDS_MS } from '../../../src/folds/sums/counters.js'
import type { SegmentStatus, StatusReport } from '../../../src/maintenance/status.js'
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
  counts: { events: 1, rejected_lines: 0, late: 0, unchecked: 0, held: 0 },
  isProjectorUp: true,
  journal: journalReport({ segments: [{ bytes: 400 }] }),
  databaseBytes: 98_304,
  walBytes: 0,
}

/** A report on a journal where nothing is wrong, but for these figures. */
export function journalReport({
  segments,
  toReprice = 0,
  ...lag
}: {
  segments: Partial<SegmentStatus>[]
  toReprice?: number
} & Partial<Pick<StatusReport, 'lag_seconds' | 'lag_bytes' | 'problems'>>): StatusReport {
  const journal = { segments } as StatusReport['journal']
  const database = { to_reprice: toReprice } as StatusReport['database']
  return { lag_seconds: 0, lag_bytes: 0, problems: [], ...lag, journal, database }
}

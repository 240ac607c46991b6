import type { Stats, StatsSection } from '../../queries/sums/stats.js'
import { csvFormat } from './csv.js'
import { type GroupOrder, listGroups } from './stats-groups.js'
import { costOf, tokensOf } from './totals.js'

type Figures = StatsSection['counts'] & StatsSection['costs'] & StatsSection['performance']

/** The columns of every answer, by their names in the JSON. */
const COLUMNS: readonly (keyof Figures)[] = [
  'total',
  'success',
  'error',
  'streaming',
  'total_input_tokens',
  'total_output_tokens',
  'total_cost_sats',
  'unpriced',
  'unpriced_error',
  'total_cost_usd',
  'unpriced_usd',
  'unpriced_usd_error',
  'avg_latency_ms',
  'p50_latency_ms',
  'p95_latency_ms',
  'p99_latency_ms',
  'unknown_input_tokens',
  'unknown_output_tokens',
  'open',
  'unfinished',
  'retries',
  'inconsistent',
  'total_cache_read_input_tokens',
  'total_cache_creation_input_tokens',
  'total_reasoning_output_tokens',
]

/**
 * Formats the groups of stats as CSV, with every digit. The stats must come from a query with
 * `unknown` and `percentiles`. A total of which nothing is known is an empty cell.
 */
export async function formatStatsCsv(stats: Stats, order: GroupOrder & { bom?: boolean }): Promise<string> {
  const { groupBy = 'model', bom } = order
  const format = await csvFormat([groupBy, ...COLUMNS], bom)
  const rows = (listGroups(stats, order)?.groups ?? []).map(([name, section]) => {
    const figures: Figures = { ...section.counts, ...section.costs, ...section.performance }
    const known: Partial<Record<keyof Figures, number | null>> = {
      total_input_tokens: tokensOf(section, 'input'),
      total_output_tokens: tokensOf(section, 'output'),
      total_cost_sats: costOf(section, 'sats'),
      total_cost_usd: costOf(section, 'usd'),
    }
    return [name, ...COLUMNS.map((column) => (column in known ? known[column] : figures[column]))]
  })
  return format(rows, true)
}

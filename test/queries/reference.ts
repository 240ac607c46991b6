import type { RequestFilter } from '../../src/queries/index.js'

/** A row of the table `requests`, as far as a question may be about it. */
export interface ReferenceRow {
  id: number
  correlation_id: string
  timestamp: string
  model: string
  provider: string | null
  policy: string | null
  streaming: number
  success: number
  input_tokens: number | null
  output_tokens: number | null
  cache_read_input_tokens: number | null
  cache_creation_input_tokens: number | null
  reasoning_output_tokens: number | null
  cost_sats: number | null
  cost_usd: number | null
  latency_ms: number
  attempt: number | null
  service_tier: string | null
  error_status: number | null
  error_message: string | null
  stream_duration_ms: number | null
  completed_segment_id: number | null
  labels: string | null
}

const lower = (name: string) => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

/** The plainest way to tell whether a row matches, which shares no code with the program. */
export function matches(row: ReferenceRow, filter: RequestFilter): boolean {
  const labels = labelsOf(row)
  return [
    filter.since === undefined || row.timestamp >= filter.since,
    filter.until === undefined || row.timestamp <= filter.until,
    filter.before === undefined || row.timestamp < filter.before,
    filter.model === undefined || lower(row.model) === lower(filter.model),
    filter.provider === undefined ||
      (row.provider !== null && lower(row.provider) === lower(filter.provider)),
    !filter.withoutProvider || row.provider === null,
    filter.policy === undefined || row.policy === filter.policy,
    !filter.withoutPolicy || row.policy === null,
    filter.withoutLabel === undefined || labels[filter.withoutLabel] === undefined,
    filter.correlationId === undefined || row.correlation_id === filter.correlationId,
    filter.success === undefined || (row.success !== 0) === filter.success,
    filter.streaming === undefined || (row.streaming !== 0) === filter.streaming,
    filter.open === undefined || (stateOf(row) === 'open') === filter.open,
    filter.unfinished === undefined || (stateOf(row) === 'unfinished') === filter.unfinished,
    filter.errorStatus === undefined || hasStatus(row, String(filter.errorStatus)),
    filter.errorMessage === undefined ||
      lower(row.error_message ?? '\0').includes(lower(filter.errorMessage)),
    filter.minLatency === undefined || row.latency_ms >= Number(filter.minLatency),
    filter.minCost === undefined || costs(row, String(filter.minCost), filter.currency),
    filter.unpricedIn === undefined || isUnpriced(row, filter.unpricedIn),
    filter.attempt === undefined || row.attempt === Number(filter.attempt),
    filter.serviceTier === undefined || row.service_tier === filter.serviceTier,
    ...Object.entries(filter.labels ?? {}).map(([name, value]) => labels[name] === value),
  ].every(Boolean)
}

function hasStatus({ error_status: status }: ReferenceRow, asked: string): boolean {
  if (status === null) return asked === 'none'
  return asked === String(status) || (asked === `${String(status).at(0)}xx` && status >= 100 && status <= 999)
}

function costs({ cost_sats, cost_usd }: ReferenceRow, asked: string, currency: string | undefined): boolean {
  const named = /[a-z]+$/.exec(asked)?.[0] ?? currency
  const cost = named === 'usd' ? cost_usd : cost_sats
  return cost !== null && cost >= Number.parseFloat(asked)
}

function isUnpriced({ cost_sats, cost_usd }: ReferenceRow, asked: string): boolean {
  return (asked === 'usd' || cost_sats === null) && (asked === 'sats' || cost_usd === null)
}

/** When all questions about {@link stateOf} are asked. */
export const NOW = Date.parse('2026-11-22T12:30:30.001Z')

function stateOf(row: ReferenceRow): 'open' | 'unfinished' | 'finished' {
  const ends = [row.completed_segment_id, row.input_tokens, row.output_tokens, row.stream_duration_ms]
  if (row.streaming === 0 || row.success === 0 || ends.some((end) => end !== null)) return 'finished'
  return row.timestamp > '2026-11-22T11:30:30.001Z' ? 'open' : 'unfinished'
}

/** The group that a row belongs to. */
export function groupOf(row: ReferenceRow, groupBy: string, rows: readonly ReferenceRow[]): string {
  const firstSpelling = (column: 'model' | 'provider') => {
    const name = row[column]
    if (name === null) return 'unknown'
    return rows.find((other) => lower(other[column] ?? '') === lower(name))?.[column] ?? name
  }
  if (groupBy === 'model' || groupBy === 'provider') return firstSpelling(groupBy)
  if (groupBy === 'policy') return row.policy ?? 'unknown'
  if (groupBy === 'service_tier') return row.service_tier ?? 'unknown'
  if (groupBy === 'error_status') return String(row.error_status ?? 'none')
  if (groupBy === 'day') return row.timestamp.slice(0, 10)
  if (groupBy === 'hour') {
    const hour = row.timestamp.slice(0, 13)
    return /^\d{4}-\d\d-\d\dT\d\d$/.test(hour) ? `${hour}:00:00.000Z` : hour
  }
  const name = groupBy === 'tier' ? 'tier' : groupBy.slice('label:'.length)
  return labelsOf(row)[name] ?? 'unknown'
}

/** What is unknown of some rows. */
export function unknownsOf(rows: readonly ReferenceRow[]) {
  const count = (isCounted: (row: ReferenceRow) => boolean) => rows.filter(isCounted).length
  return {
    unpriced_error: count((row) => row.cost_sats === null && row.success === 0),
    unknown_input_tokens: count((row) => row.input_tokens === null),
    unknown_output_tokens: count((row) => row.output_tokens === null),
    open: count((row) => stateOf(row) === 'open'),
    unfinished: count((row) => stateOf(row) === 'unfinished'),
  }
}

function isInconsistent(row: ReferenceRow): boolean {
  const { input_tokens: input, output_tokens: output } = row
  const parts = Math.max(row.cache_read_input_tokens ?? 0, row.cache_creation_input_tokens ?? 0)
  return (input !== null && parts > input) || (output !== null && (row.reasoning_output_tokens ?? 0) > output)
}

/** The section of the stats of some rows, all fields included. */
export function sectionOf(rows: readonly ReferenceRow[]) {
  const sum = (value: (row: ReferenceRow) => number) => rows.reduce((total, row) => total + value(row), 0)
  const total = rows.length
  const error = sum((row) => Number(row.success === 0))
  return {
    counts: {
      total,
      success: total - error,
      error,
      streaming: sum((row) => Number(row.streaming !== 0)),
      unpriced: sum((row) => Number(row.cost_sats === null)),
      ...unknownsOf(rows),
      unpriced_usd: sum((row) => Number(row.cost_usd === null)),
      unpriced_usd_error: sum((row) => Number(row.cost_usd === null && row.success === 0)),
      retries: sum((row) => Number((row.attempt ?? 0) > 0)),
      inconsistent: rows.filter(isInconsistent).length,
    },
    costs: {
      total_cost_sats: costOf(rows),
      total_input_tokens: sum((row) => row.input_tokens ?? 0),
      total_output_tokens: sum((row) => row.output_tokens ?? 0),
      total_cost_usd: costOf(rows.map((row) => ({ ...row, cost_sats: row.cost_usd }))),
      total_cache_read_input_tokens: sum((row) => row.cache_read_input_tokens ?? 0),
      total_cache_creation_input_tokens: sum((row) => row.cache_creation_input_tokens ?? 0),
      total_reasoning_output_tokens: sum((row) => row.reasoning_output_tokens ?? 0),
    },
    performance: { avg_latency_ms: total === 0 ? 0 : sum((row) => row.latency_ms) / total },
  }
}

/** By nearest rank; null for none. */
export function percentileOf(rows: readonly ReferenceRow[], share: number): number | null {
  const sorted = rows.map((row) => row.latency_ms).sort((a, b) => a - b)
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? null
}

/** A cost as whole satoshis and billionths: the sum is exact, and turned into a number once. */
export function costOf(rows: readonly ReferenceRow[]): number {
  let nanosats = 0n
  for (const { cost_sats } of rows) {
    if (cost_sats === null) continue
    const cost = Math.max(-1e12, Math.min(1e12, cost_sats))
    const whole = Math.trunc(cost)
    const rest = (cost - whole) * 1e9
    nanosats += BigInt(whole) * 1_000_000_000n + BigInt(Math.sign(rest) * Math.round(Math.abs(rest)))
  }
  const digits = String(nanosats < 0n ? -nanosats : nanosats).padStart(10, '0')
  return Number(`${nanosats < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`) + 0
}

function labelsOf({ labels }: ReferenceRow): Record<string, string> {
  try {
    const parsed: unknown = JSON.parse(labels ?? '{}')
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return {}
    return Object.fromEntries(Object.entries(parsed).filter(([, value]) => typeof value === 'string'))
  } catch {
    return {}
  }
}

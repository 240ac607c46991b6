import type { StoredRequest } from '../store/sqlite/projection-tables.js'
import type { StreamEnd } from './stream-state.js'
import { MAX_LATENCY_MS, MAX_TOKENS, wholeNumber } from './whole-number.js'

/** What a completion can change of a request. */
export interface RequestOutcome extends Omit<StreamEnd, 'streaming'> {
  cost_sats: number | null
}

/** What roll-ups need to know of a request. */
export interface CountedRequest extends RequestOutcome {
  timestamp: string
  model: string
  provider: string | null
  policy: string | null
  streaming: boolean
  latency_ms: number
  labels?: Readonly<Record<string, string>>
}

/**
 * A row as the roll-ups count it. What other programs wrote into a column may be anything: it counts as SQLite's CAST
 * takes it, as in the migration that filled the roll-ups.
 */
export function countedRequest(row: StoredRequest): CountedRequest {
  const labels = parseLabels(row.labels)
  return {
    timestamp: String(row.timestamp),
    model: String(row.model),
    provider: textOrNull(row.provider),
    policy: textOrNull(row.policy),
    streaming: row.streaming !== 0,
    success: row.success !== 0,
    stream_duration_ms: row.stream_duration_ms,
    isCompleted: row.completed_segment_id !== null,
    input_tokens: wholeOrNull(row.input_tokens),
    output_tokens: wholeOrNull(row.output_tokens),
    cost_sats: row.cost_sats === null ? null : asNumber(row.cost_sats),
    latency_ms: wholeNumber(row.latency_ms, MAX_LATENCY_MS),
    ...(labels === undefined ? {} : { labels }),
  }
}

/** What an event counts for: its values as they are, but for absurd ones. */
export function withinLimits<Counted extends RequestOutcome & { latency_ms?: number }>(
  request: Counted,
): Counted {
  const { input_tokens, output_tokens, latency_ms = 0 } = request
  const isWithin = (input_tokens ?? 0) <= MAX_TOKENS && (output_tokens ?? 0) <= MAX_TOKENS
  if (isWithin && latency_ms <= MAX_LATENCY_MS) return request
  return {
    ...request,
    input_tokens: wholeOrNull(input_tokens),
    output_tokens: wholeOrNull(output_tokens),
    ...('latency_ms' in request ? { latency_ms: wholeNumber(latency_ms, MAX_LATENCY_MS) } : {}),
  }
}

/** Only labels whose value is a text can be a dimension. */
function parseLabels(json: string | null): Record<string, string> | undefined {
  if (json === null) return undefined
  try {
    const labels: unknown = JSON.parse(json)
    if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return undefined
    const texts = Object.entries(labels).filter(([, value]) => typeof value === 'string')
    // SQLite gives lone surrogates back as something else.
    return Object.fromEntries(texts.map(([name, value]) => [name, value.toWellFormed()]))
  } catch {
    // Another program's text: a request without labels, as in the migration.
    return undefined
  }
}

/** Of bytes each would be a name of its own here, and one in SQL. */
function textOrNull(value: unknown): string | null {
  return value === null ? null : String(value)
}

function wholeOrNull(value: unknown): number | null {
  return value === null ? null : wholeNumber(value, MAX_TOKENS)
}

function asNumber(value: unknown): number {
  const number = typeof value === 'number' ? value : Number.parseFloat(String(value))
  return Number.isFinite(number) ? number : 0
}

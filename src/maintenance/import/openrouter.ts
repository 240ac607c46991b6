import type { ImportTimes } from './import-times.js'
import { type ImportedRequest, RowProblem, type RowReader, type SourceRow } from './imported-row.js'
import { countOf, firstOf, flagOf, labelsOf, numberOf, partOf, textOf } from './row-values.js'

/** The names of each column: in the activity export, and in answers of `/api/v1/generation`. */
const COLUMNS = {
  id: ['generation_id', 'id'],
  created: ['created_at'],
  model: ['model_permaslug', 'model'],
  cost: ['cost_total', 'total_cost', 'usage'],
  input: ['native_tokens_prompt', 'tokens_prompt'],
  output: ['native_tokens_completion', 'tokens_completion'],
  reasoning: ['native_tokens_reasoning', 'tokens_reasoning'],
  cached: ['native_tokens_cached', 'tokens_cached'],
  firstToken: ['time_to_first_token_ms', 'latency'],
  duration: ['generation_time_ms', 'generation_time'],
} as const

/** The columns without which a file can't be OpenRouter's, each under all of its names. */
export const OPENROUTER_COLUMNS = [COLUMNS.id, COLUMNS.created, COLUMNS.model, COLUMNS.cost] as const

/** The columns by which one recognizes its export by day rather than by generation. */
export const OPENROUTER_DAY_COLUMNS = ['Date', 'Slug', 'Usage'] as const

/**
 * Reads OpenRouter's generations. The cost is what OpenRouter billed, so it is the provider's. Times
 * without an offset are UTC.
 */
export function openrouterReader(times: ImportTimes): RowReader {
  const read = (row: SourceRow): ImportedRequest => {
    const find = (column: keyof typeof COLUMNS) => firstOf(row, COLUMNS[column])
    const created = times.instant(find('created'), 'created_at')
    if (created === null) throw new RowProblem('created_at: found nothing, expected a time')
    const finish = textOf(firstOf(row, ['finish_reason_normalized', 'finish_reason']))
    const isCancelled = flagOf(row.get('cancelled'), 'cancelled') === true
    const success = finish !== 'error'
    return {
      correlation_id: textOf(find('id')) ?? undefined,
      timestamp: new Date(created).toISOString(),
      model: textOf(find('model')) ?? undefined,
      // The same provider as of a request that is logged while it runs.
      provider: 'openrouter',
      ...timing(row),
      ...usage(row),
      ...cost(row),
      success,
      error_message: success ? null : textOf(firstOf(row, ['finish_reason_raw', 'native_finish_reason'])),
      labels: labelsOf({
        upstream: row.get('provider_name'),
        key: row.get('api_key_name'),
        app: row.get('app_name'),
        user: firstOf(row, ['user', 'external_user']),
        cancelled: isCancelled ? 'true' : null,
      }),
    }
  }
  return { read, amounts: [usage, cost] }
}

function usage(row: SourceRow): ImportedRequest {
  return {
    input_tokens: countOf(firstOf(row, COLUMNS.input), 'tokens_prompt'),
    output_tokens: countOf(firstOf(row, COLUMNS.output), 'tokens_completion'),
    cache_read_input_tokens: partOf(firstOf(row, COLUMNS.cached), 'tokens_cached'),
    reasoning_output_tokens: partOf(firstOf(row, COLUMNS.reasoning), 'tokens_reasoning'),
  }
}

function cost(row: SourceRow): ImportedRequest {
  return { provider_cost_usd: numberOf(firstOf(row, COLUMNS.cost), 'cost_total') }
}

function timing(row: SourceRow) {
  const firstToken = numberOf(firstOf(row, COLUMNS.firstToken), 'time_to_first_token_ms')
  const duration = numberOf(firstOf(row, COLUMNS.duration), 'generation_time_ms')
  const isStreamed = flagOf(firstOf(row, ['streamed']), 'streamed') ?? firstToken !== null
  if (isStreamed && firstToken !== null) {
    return { streaming: true, latency_ms: firstToken, stream_duration_ms: duration }
  }
  return { latency_ms: duration ?? firstToken ?? undefined }
}

import type { ImportNotes } from './import-notes.js'
import type { ImportTimes } from './import-times.js'
import {
  type ImportedRequest,
  type LeftOut,
  RowProblem,
  type RowReader,
  type SourceRow,
} from './imported-row.js'
import { columnMembers, countOf, firstOf, labelsOf, numberOf, textOf } from './row-values.js'

/**
 * The names of each column: in the files of the blob storage export, and in those of the page and
 * the API.
 */
const COLUMNS = {
  id: ['id'],
  trace: ['trace_id', 'traceId'],
  type: ['type'],
  start: ['start_time', 'startTime'],
  end: ['end_time', 'endTime'],
  firstByte: ['completion_start_time', 'completionStartTime'],
  latency: ['latency'],
  model: ['provided_model_name', 'providedModelName', 'model', 'modelName'],
  usage: ['usage_details', 'usageDetails'],
  input: ['inputUsage', 'input_usage', 'inputTokens', 'promptTokens'],
  output: ['outputUsage', 'output_usage', 'outputTokens', 'completionTokens'],
  totalCost: ['total_cost', 'totalCost', 'calculatedTotalCost'],
  costs: ['cost_details', 'costDetails'],
  level: ['level'],
  message: ['status_message', 'statusMessage'],
  user: ['user_id', 'userId'],
  session: ['session_id', 'sessionId'],
  environment: ['environment'],
  name: ['name'],
  metadata: ['metadata'],
} as const

/** The columns without which a file can't be Langfuse's, each under all of its names. */
export const LANGFUSE_COLUMNS = [COLUMNS.id, COLUMNS.start, COLUMNS.model] as const

/** The types of observations that are calls to models. */
const CALLS = new Set(['GENERATION', 'EMBEDDING'])

/**
 * Reads observations of Langfuse: generations and embeddings become requests, other observations
 * are left out. Its total cost is what the caller reported, or what Langfuse computed. Times
 * without an offset are UTC, as the export's description says.
 */
export function langfuseReader(times: ImportTimes, notes: ImportNotes): RowReader {
  const read = (row: SourceRow): ImportedRequest | LeftOut => {
    const find = (column: keyof typeof COLUMNS) => firstOf(row, COLUMNS[column])
    const type = textOf(find('type'))
    if (type !== null && !CALLS.has(type.toUpperCase())) return { leftOut: `an observation of type ${type}` }
    const start = times.instant(find('start'), 'start_time')
    if (start === null) throw new RowProblem('start_time: found nothing, expected a time')
    const metadata = columnMembers(find('metadata'), 'metadata', notes)
    const success = textOf(find('level')) !== 'ERROR'
    return {
      correlation_id: textOf(find('id')) ?? undefined,
      timestamp: new Date(start).toISOString(),
      model: textOf(find('model')) ?? undefined,
      provider: textOf(metadata['ls_provider'] ?? metadata['provider']),
      ...timing(row, times, start, notes),
      ...usage(row, notes),
      success,
      error_message: success ? null : textOf(find('message')),
      ...cost(row, notes),
      labels: labelsOf({
        user: find('user'),
        session: find('session'),
        environment: find('environment'),
        name: find('name'),
        trace: find('trace'),
      }),
    }
  }
  return { read, amounts: [(row) => usage(row, notes), (row) => cost(row, notes)] }
}

function timing(row: SourceRow, times: ImportTimes, start: number, notes: ImportNotes): ImportedRequest {
  const end = times.instant(firstOf(row, COLUMNS.end), 'end_time')
  const firstByte = times.instant(firstOf(row, COLUMNS.firstByte), 'completion_start_time')
  if (firstByte !== null && firstByte >= start) {
    const duration = end === null ? null : Math.max(0, end - firstByte)
    return { streaming: true, latency_ms: firstByte - start, stream_duration_ms: duration }
  }
  if (end !== null && end >= start) return { latency_ms: end - start }
  const seconds = numberOf(firstOf(row, COLUMNS.latency), 'latency')
  if (seconds !== null && seconds >= 0) return { latency_ms: seconds * 1000 }
  if (end === null) return { latency_ms: undefined }
  // The request was billed all the same.
  notes.add('end_time is before start_time: latency_ms is 0')
  return { latency_ms: 0 }
}

/**
 * The keys of `usage_details` are parts that don't overlap: those with `input` in their names add up
 * to all of the input, and so does `output`.
 */
function usage(row: SourceRow, notes: ImportNotes): ImportedRequest {
  const details = Object.entries(columnMembers(firstOf(row, COLUMNS.usage), 'usage_details', notes))
  const sum = (...words: RegExp[]) => {
    const found = details.filter(([name]) => words.every((word) => word.test(name)))
    if (found.length === 0) return null
    return found.reduce((total, [name, tokens]) => total + (countOf(tokens, name) ?? 0), 0)
  }
  return {
    input_tokens: sum(/input/) ?? countOf(firstOf(row, COLUMNS.input), 'inputUsage'),
    output_tokens: sum(/output/) ?? countOf(firstOf(row, COLUMNS.output), 'outputUsage'),
    cache_read_input_tokens: sum(/input/, /cached|cache_read/) || null,
    cache_creation_input_tokens: sum(/input/, /cache_(creation|write)/) || null,
    audio_input_tokens: sum(/input/, /audio/) || null,
    reasoning_output_tokens: sum(/output/, /reasoning/) || null,
    audio_output_tokens: sum(/output/, /audio/) || null,
  }
}

function cost(row: SourceRow, notes: ImportNotes): ImportedRequest {
  const total = numberOf(firstOf(row, COLUMNS.totalCost), 'total_cost')
  if (total !== null) return { cost_usd: total }
  const costs = columnMembers(firstOf(row, COLUMNS.costs), 'cost_details', notes)
  return { cost_usd: numberOf(costs['total'], 'cost_details.total') }
}

import type { ImportNotes } from './import-notes.js'
import type { ImportTimes } from './import-times.js'
import { type ImportedRequest, RowProblem, type RowReader, type SourceRow } from './imported-row.js'
import {
  columnMembers,
  countOf,
  flagOf,
  labelsOf,
  membersOf,
  numberOf,
  partOf,
  textOf,
} from './row-values.js'

/** The columns without which a file can't be LiteLLM's. */
export const LITELLM_COLUMNS = ['request_id', 'startTime', 'endTime', 'model', 'spend'] as const

/**
 * The members by which one recognizes the sums of days that `/spend/logs` returns for a range of
 * dates.
 */
export const LITELLM_DAY_COLUMNS = ['startTime', 'models', 'users'] as const

/**
 * Reads rows of LiteLLM's table `LiteLLM_SpendLogs`, as CSV from the database or as JSON from
 * `/spend/logs`. `spend` is LiteLLM's own figure. The database stores times in UTC without an
 * offset.
 */
export function litellmReader(times: ImportTimes, notes: ImportNotes): RowReader {
  const teamOf = nameOrId('team', '--map team_id=labels.team', notes)
  const keyOf = nameOrId('key', '--map api_key=labels.key', notes)
  const read = (row: SourceRow): ImportedRequest => {
    const start = times.instant(row.get('startTime'), 'startTime')
    if (start === null) throw new RowProblem('startTime: found nothing, expected a time')
    const metadata = columnMembers(row.get('metadata'), 'metadata', notes)
    const model = textOf(row.get('model'))
    const asked = textOf(row.get('model_group')) ?? model
    return {
      correlation_id: textOf(row.get('request_id')) ?? undefined,
      timestamp: new Date(start).toISOString(),
      model: asked ?? undefined,
      response_model: model === asked ? null : model,
      provider: textOf(row.get('custom_llm_provider')) ?? prefixOf(model),
      ...timing(row, times, start, notes),
      ...outcome(row, metadata),
      ...usage(row, metadata),
      ...cost(row),
      labels: labelsOf({
        user: row.get('user'),
        end_user: row.get('end_user'),
        team: teamOf(metadata['user_api_key_team_alias'], row.get('team_id')),
        key: keyOf(metadata['user_api_key_alias'], row.get('api_key')),
        session: row.get('session_id'),
        tags: tagsOf(row.get('request_tags')),
        cache_hit: flagText(row.get('cache_hit')),
        call_type: row.get('call_type'),
      }),
    }
  }
  return { read, amounts: [(row) => usage(row, membersOf(row.get('metadata'))), cost] }
}

function cost(row: SourceRow): ImportedRequest {
  return { cost_usd: numberOf(row.get('spend'), 'spend') }
}

/**
 * Makes a reader of the alias of a team or key, or else its id. Rows without an alias are noted if
 * other rows have one.
 */
function nameOrId(label: string, option: string, notes: ImportNotes) {
  const note = `no alias of the ${label} in metadata, where others have one, so the ${label} is known by its id (${option} takes the ids of all)`
  let hasAliases = false
  return (alias: unknown, id: unknown): string | null => {
    const name = textOf(alias)
    hasAliases ||= name !== null
    const text = name ?? textOf(id)
    if (name === null && text !== null) notes.add(note, { value: text, isWorthTelling: () => hasAliases })
    return text
  }
}

/** If nothing was streamed, LiteLLM's start of the completion is its end. */
function timing(row: SourceRow, times: ImportTimes, start: number, notes: ImportNotes): ImportedRequest {
  const end = times.instant(row.get('endTime'), 'endTime')
  const firstByte = times.instant(row.get('completionStartTime'), 'completionStartTime')
  if (firstByte !== null && firstByte > start && end !== null && firstByte < end) {
    return { streaming: true, latency_ms: firstByte - start, stream_duration_ms: end - firstByte }
  }
  const reported = numberOf(row.get('request_duration_ms'), 'request_duration_ms')
  if (end === null) return { latency_ms: reported ?? undefined }
  if (end >= start) return { latency_ms: end - start }
  // The request was billed all the same.
  notes.add(`endTime is before startTime: latency_ms is ${reported === null ? 0 : 'request_duration_ms'}`)
  return { latency_ms: reported ?? 0 }
}

function outcome(row: SourceRow, metadata: Readonly<Record<string, unknown>>): ImportedRequest {
  const status = textOf(row.get('status')) ?? textOf(metadata['status'])
  const error = membersOf(metadata['error_information'])
  const code = Number(textOf(error['error_code']) ?? Number.NaN)
  const success = status === null ? Object.keys(error).length === 0 : status !== 'failure'
  if (success) return { success }
  return {
    success,
    error_status: Number.isSafeInteger(code) ? code : null,
    error_message: textOf(error['error_message']) ?? textOf(error['error_class']),
  }
}

function usage(row: SourceRow, metadata: Readonly<Record<string, unknown>>): ImportedRequest {
  const input = countOf(row.get('prompt_tokens'), 'prompt_tokens')
  const output = countOf(row.get('completion_tokens'), 'completion_tokens')
  const isFailure = textOf(row.get('status')) === 'failure'
  // LiteLLM writes 0 if the tokens are unknown. For a failure, 0 of both can't mean anything else.
  if (isFailure && !input && !output) return {}
  const reported = membersOf(metadata['usage_object'])
  const ofInput = membersOf(reported['prompt_tokens_details'])
  const ofOutput = membersOf(reported['completion_tokens_details'])
  const extra = membersOf(metadata['additional_usage_values'])
  const cacheRead =
    extra['cache_read_input_tokens'] ?? reported['cache_read_input_tokens'] ?? ofInput['cached_tokens']
  const cacheCreation = extra['cache_creation_input_tokens'] ?? reported['cache_creation_input_tokens']
  return {
    input_tokens: input,
    output_tokens: output,
    cache_read_input_tokens: partOf(cacheRead, 'cache_read_input_tokens'),
    cache_creation_input_tokens: partOf(cacheCreation, 'cache_creation_input_tokens'),
    audio_input_tokens: partOf(ofInput['audio_tokens'], 'audio_tokens'),
    reasoning_output_tokens: partOf(ofOutput['reasoning_tokens'], 'reasoning_tokens'),
    audio_output_tokens: partOf(ofOutput['audio_tokens'], 'audio_tokens'),
  }
}

/** `openai` of `openai/gpt-4o`. */
function prefixOf(model: string | null): string | null {
  return /^([^/]+)\//.exec(model ?? '')?.[1] ?? null
}

/** The tags as one text: `a,b`. */
function tagsOf(value: unknown): string | null {
  let tags = value
  if (typeof value === 'string' && value.startsWith('[')) {
    try {
      tags = JSON.parse(value)
    } catch {
      return value
    }
  }
  return Array.isArray(tags) ? tags.join(',') : textOf(tags)
}

/** Only a hit is worth a label. */
function flagText(value: unknown): string | null {
  const text = textOf(value)
  if (text === null || text === 'None') return null
  return flagOf(text, 'cache_hit') === true ? 'true' : null
}

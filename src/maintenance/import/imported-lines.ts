import { createHash } from 'node:crypto'
import { InvalidEventError } from '../../events/errors.js'
import type { JournalEvent, RequestLogged } from '../../events/event-types.js'
import { encodeLine } from '../../events/line.js'
import { type NormalizeHooks, normalizeEvent } from '../../events/normalize-event.js'
import { redactSecrets } from '../../events/redact.js'
import { cutErrorMessage } from '../../events/value-kinds.js'
import { type ImportedRequest, RowProblem } from './imported-row.js'

/** An imported request as it is stored in the journal. */
export interface ImportedLines {
  request: RequestLogged
  /** Whether the source has an id for it. */
  hasOwnId: boolean
  /** The line of the request and, for a stream, that of its completion. */
  lines: readonly Buffer[]
}

/**
 * Makes the lines of a request. A stream gets two, like one that was logged while it ran.
 *
 * @param place where the request is from: if it has no id, it gets one that is derived from this.
 * @throws RowProblem if it breaks the schema.
 */
export function importedLines(given: ImportedRequest, place: () => string): ImportedLines {
  const { stream_duration_ms = null, ...fields } = given
  if (fields.timestamp === undefined) throw new RowProblem('timestamp: found nothing, expected a time')
  const isStreamed = fields.streaming === true || stream_duration_ms !== null
  const input = { ...fields, success: fields.success ?? hasSucceeded(fields), streaming: isStreamed }
  const hooks: NormalizeHooks = {
    correlationId: () => uuidOf(place()),
    // Never called: a row without a timestamp was refused.
    timestamp: () => '',
  }
  try {
    const request = safe(normalizeEvent(input, hooks)) as RequestLogged
    // A copy, since the next line is encoded into the same buffer.
    const lines = [Buffer.from(encodeLine(request, null))]
    if (isStreamed) {
      const end = Date.parse(request.timestamp) + request.latency_ms + (stream_duration_ms ?? 0)
      const timestamp = new Date(end).toISOString()
      const completion = { ...request, type: 'stream_completed', timestamp, stream_duration_ms }
      lines.push(Buffer.from(encodeLine(safe(normalizeEvent(completion, hooks)), null)))
    }
    return { request, hasOwnId: fields.correlation_id !== undefined, lines }
  } catch (error) {
    if (!(error instanceof InvalidEventError)) throw error
    const problems = error.problems.map(
      ({ field, found, expected }) => `${field}: found ${found}, expected ${expected}${hint(field, found)}`,
    )
    throw new RowProblem(problems.join('; '))
  }
}

function hint(field: string, found: string): string {
  const isMissing = found === 'nothing' && (field === 'model' || field === 'latency_ms')
  return isMissing ? `; --set ${field}=… gives one to all rows that have none` : ''
}

/** Whether a request has succeeded, if its source doesn't say so. */
export function hasSucceeded({ error_status, error_message }: ImportedRequest): boolean {
  return (error_status ?? 0) < 400 && (error_message ?? null) === null
}

/** Removes secrets from an error message, as an open journal does. */
function safe(event: JournalEvent): JournalEvent {
  if (event.type !== 'request_logged' && event.type !== 'stream_completed') return event
  if (event.error_message === null) return event
  return { ...event, error_message: cutErrorMessage(redactSecrets(event.error_message, 'error_message')) }
}

/**
 * Whether an imported request may have got its id from its place: it looks like those of `uuidOf`.
 */
export function hasIdOfPlace({ correlation_id }: RequestLogged): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/.test(correlation_id)
}

/** A UUID of version 8, the same for the same text. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

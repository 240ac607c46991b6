import { describeThrown, shownText } from './describe-value.js'
import { InvalidEventError } from './errors.js'
import type { JournalEvent, RequestLogged, StreamCompleted } from './event-types.js'

/**
 * Every line that this package writes begins with it, and it occurs nowhere else in a line:
 * recovery looks for it in a damaged line.
 */
export const LINE_START = '{"type":'
/** Precedes the eight hex digits of a line's checksum. */
export const CHECKSUM_START = ',"crc32":"'

/**
 * Matches characters that JSON.stringify escapes or that aren't ASCII. A string that contains one
 * is left to JSON.stringify.
 */
const NEEDS_ESCAPE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/

const NO_ERROR = '"error_status":null,"error_message":null'

/**
 * Writes an event as JSON.stringify does, without the closing brace, before which the checksum
 * goes. Measured: 690 ns with the write into a Buffer, whereas JSON.stringify alone takes 820.
 */
export function serializeOpen(event: JournalEvent): string {
  switch (event.type) {
    case 'request_logged': {
      const labels =
        event.labels === undefined ? '' : `,"labels":${withoutMarkers(JSON.stringify(event.labels))}`
      return (
        `{"type":"request_logged","correlation_id":${text(event.correlation_id)},"timestamp":"${event.timestamp}"` +
        `,"model":${name(event.model)},"provider":${name(event.provider)},"policy":${name(event.policy)}` +
        `,"streaming":${event.streaming},${figures(event)},"latency_ms":${event.latency_ms},"success":${event.success}` +
        `,${error(event)}${attempt(event)}${details(event)}${labels}`
      )
    }
    case 'stream_completed':
      return (
        `{"type":"stream_completed","correlation_id":${text(event.correlation_id)},"timestamp":"${event.timestamp}"` +
        `,${figures(event)},"stream_duration_ms":${event.stream_duration_ms},"success":${event.success}` +
        `,${error(event)}${attempt(event)}${details(event)}`
      )
    // These are rare, and have no nested object that could look like a line's start or end.
    case 'price_set':
    case 'exchange_rate_observed':
      return JSON.stringify(event).slice(0, -1)
  }
}

type RequestEvent = RequestLogged | StreamCompleted

function figures(event: RequestEvent): string {
  return (
    `"input_tokens":${event.input_tokens},"output_tokens":${event.output_tokens}` +
    `,"cost_sats":${event.cost_sats},"provider_cost_sats":${event.provider_cost_sats}`
  )
}

function error(event: RequestEvent): string {
  return event.error_message === null && event.error_status === null
    ? NO_ERROR
    : `"error_status":${event.error_status},"error_message":${text(event.error_message)}`
}

function attempt(event: RequestEvent): string {
  return event.attempt === undefined ? '' : `,"attempt":${event.attempt}`
}

function details(event: RequestEvent): string {
  let json = ''
  if (event.response_model !== undefined) json += `,"response_model":${name(event.response_model)}`
  if (event.service_tier !== undefined) json += `,"service_tier":${name(event.service_tier)}`
  json += number('cache_read_input_tokens', event.cache_read_input_tokens)
  json += number('cache_creation_input_tokens', event.cache_creation_input_tokens)
  json += number('cache_creation_1h_input_tokens', event.cache_creation_1h_input_tokens)
  json += number('audio_input_tokens', event.audio_input_tokens)
  json += number('image_input_tokens', event.image_input_tokens)
  json += number('reasoning_output_tokens', event.reasoning_output_tokens)
  json += number('audio_output_tokens', event.audio_output_tokens)
  json += number('cost_usd', event.cost_usd)
  json += number('provider_cost_usd', event.provider_cost_usd)
  return json
}

function number(member: string, value: number | undefined): string {
  return value === undefined ? '' : `,"${member}":${value}`
}

/**
 * Writes the members that this version doesn't know, each after a comma. They are written one by
 * one, because JSON.stringify of the whole object would call a member named toJSON.
 *
 * @throws InvalidEventError when one can't be written as JSON.
 */
export function serializeMembers(unknown: Record<string, unknown>): string {
  return withoutMarkers(Object.entries(unknown).map(serializeMember).join(''))
}

function serializeMember([name, value]: [string, unknown]): string {
  try {
    const json: string | undefined = JSON.stringify(value)
    return json === undefined ? '' : `,${JSON.stringify(name)}:${json}`
  } catch (error) {
    const found = `a value that JSON can't hold (${describeThrown(error)})`
    throw new InvalidEventError([{ field: shownText(name), found, expected: 'plain JSON values' }])
  }
}

/**
 * Puts a space into whatever looks like a line's start or end, so that recovery finds no false
 * events inside the line. Only a nested object can look like that, since quotes in strings are
 * escaped, and a space changes its bytes but not its meaning.
 */
function withoutMarkers(json: string): string {
  return json.replaceAll(LINE_START, '{ "type":').replaceAll(CHECKSUM_START, ', "crc32":"')
}

/**
 * The JSON of names that recur. Measured: this map and NO_ERROR reduce the time for an event, with
 * the write into a Buffer, from 880 ns to 690.
 */
const names = new Map<string, string>()
const MAX_NAMES = 512
const MAX_NAME_LENGTH = 128

function name(value: string | null): string {
  if (value === null) return 'null'
  let json = names.get(value)
  if (json === undefined) {
    json = text(value)
    if (names.size === MAX_NAMES) names.clear()
    if (value.length <= MAX_NAME_LENGTH) names.set(value, json)
  }
  return json
}

function text(value: string | null): string {
  if (value === null) return 'null'
  return NEEDS_ESCAPE.test(value) ? JSON.stringify(value) : `"${value}"`
}

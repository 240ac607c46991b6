import { isUtf8 } from 'node:buffer'
import { describeValue, shownText } from '../../events/describe-value.js'
import { cutLongNames, isBlankLine, MAX_LINE_BYTES, parseLine } from '../../events/line.js'
import { maskSecrets } from '../../events/redact.js'
import { badRequest, HttpError } from '../http/errors.js'

/** The largest body that is read. An event takes a few hundred bytes, and at most 1 MiB. */
export const MAX_BODY_BYTES = 4 * MAX_LINE_BYTES

/** How many events one POST may have: they are checked and written without a pause. */
export const MAX_EVENTS = 10_000

/** How the events of a body are written: as one JSON text, or as one JSON text per line. */
export type BodyForm = 'json' | 'ndjson'

/** One event of a body, which isn't checked yet; or why it can't be read. */
export type PostedEvent = { members: unknown } | { problem: string }

/**
 * Reads the events of a body, in order. Blank lines between events are skipped and not counted.
 *
 * @throws HttpError 400 if the body as a whole can't be read, 413 for more than MAX_EVENTS.
 */
export function readEvents(body: Buffer, form: BodyForm): PostedEvent[] {
  return form === 'ndjson' ? readLines(body) : readJson(body)
}

function readLines(body: Buffer): PostedEvent[] {
  const events: PostedEvent[] = []
  for (let start = 0; start < body.length; ) {
    const newline = body.indexOf(0x0a, start)
    const end = newline === -1 ? body.length : newline
    const line = body.subarray(start, end)
    start = end + 1
    if (isBlankLine(line)) continue
    if (events.length === MAX_EVENTS) throw tooMany('more')
    const parsed = parseLine(line)
    events.push('reason' in parsed ? { problem: parsed.detail } : { members: parsed.members })
  }
  return events
}

function readJson(body: Buffer): PostedEvent[] {
  if (!isUtf8(body)) throw badRequest('the body is not valid UTF-8')
  let value: unknown
  try {
    value = JSON.parse(cutLongNames(body.toString()))
  } catch (error) {
    throw badRequest(`the body is not JSON: ${maskSecrets((error as SyntaxError).message).slice(0, 200)}`)
  }
  if (typeof value !== 'object' || value === null) {
    throw badRequest(`the body is ${describeValue(value)}, expected an event or an array of events`)
  }
  if (!Array.isArray(value)) {
    const [wrapped] = Object.entries(value).find(([, member]) => Array.isArray(member)) ?? []
    if (wrapped !== undefined && !('model' in value) && !('type' in value)) {
      const found = `an object with an array in '${shownText(wrapped)}'`
      throw badRequest(`the body is ${found}, expected the array itself: [{"model": …}, …]`)
    }
    return [{ members: value }]
  }
  if (value.length > MAX_EVENTS) throw tooMany(String(value.length))
  return value.map((members: unknown) => ({ members }))
}

function tooMany(found: string): HttpError {
  const problem = `found ${found} events, expected at most ${MAX_EVENTS}: send several requests`
  return new HttpError(413, `Payload too large: ${problem}`)
}

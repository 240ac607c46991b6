import type { Static } from 'typebox'
import type { CompiledSchema } from './compile.js'
import { requestLog, streamCompleted } from './compiled-schemas.js'
import { type EventProblem, InvalidEventError } from './errors.js'
import { safeIdentifier, utf8Prefix } from './identifier.js'
import { describeValue, findProblems } from './problems.js'
import type {
  EventInput,
  JournalEvent,
  RequestLogged,
  RequestLogSchema,
  StreamCompleted,
  StreamCompletedSchema,
} from './schema.js'
import { canonicalTimestamp } from './timestamp.js'

/** UTF-8 bytes of an error_message that are kept: it is a hint for people, never a body. */
export const MAX_ERROR_MESSAGE_BYTES = 4096

/**
 * What the caller of `completeEvent` brings. The values of absent fields come from the clock for a caller's event, and
 * from its place for a foreign line.
 */
export interface EventDefaults {
  correlationId(): string
  timestamp(): string
  /** Called with each member of cost that was made null, because it is NaN or infinite. */
  costDropped?(member: CostField): void
  /** Takes secrets out of what an error quotes. @default masks those that SECURITY.md lists */
  redact?(text: string): string
}

const COST_FIELDS = ['cost_sats', 'provider_cost_sats'] as const
export type CostField = (typeof COST_FIELDS)[number]

/** The fields of an event, `crc32` included: anything else is unknown to this version. */
const KNOWN_FIELDS = {
  request_logged: new Set(['crc32', ...Object.keys(requestLog.fields)]),
  stream_completed: new Set(['crc32', ...Object.keys(streamCompleted.fields)]),
} as const

/** True for a `type` that this version can project; absent means `request_logged`. */
export function isKnownType(type: unknown): boolean {
  return type === undefined || type === 'request_logged' || type === 'stream_completed'
}

/**
 * The one place where defaults are filled and values made safe, for a caller's events and for foreign lines alike:
 * timestamps canonical, lone surrogates replaced by U+FFFD, −0 made 0, milliseconds rounded, error_message and long
 * identifiers cut; NaN and infinities of costs become null, since an event is worth more than its cost. Fields that
 * this version doesn't know are left out.
 *
 * @throws InvalidEventError naming the fields that break the schema.
 */
export function completeEvent(input: unknown, defaults: EventDefaults): JournalEvent {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new InvalidEventError([
      { field: 'event', found: describeValue(input, defaults.redact), expected: 'an object' },
    ])
  }
  const type = (input as { type?: unknown }).type
  if (!isKnownType(type)) {
    const expected = "'request_logged' (or no type at all) or 'stream_completed'"
    throw new InvalidEventError([{ field: 'type', found: describeValue(type, defaults.redact), expected }])
  }
  return type === 'stream_completed'
    ? completeStreamCompleted(input, defaults)
    : completeRequestLog(input, defaults)
}

/** The fields of the last event that had only known ones: callers log the same each time. Measured: 27 ns, against 78. */
const usualFields: Record<JournalEvent['type'], readonly string[]> = {
  request_logged: [],
  stream_completed: [],
}

/**
 * The members of a caller's event that this version doesn't know: they go into the journal as they are and are
 * ignored by readers. Null when there are none, which is the rule.
 */
export function unknownFields(input: EventInput): Record<string, unknown> | null {
  const type = input.type === 'stream_completed' ? 'stream_completed' : 'request_logged'
  const known = KNOWN_FIELDS[type]
  const usual = usualFields[type]
  let unknown: [string, unknown][] | null = null
  let index = 0
  let isUsual = true
  for (const field in input) {
    if (field === usual[index++]) continue
    isUsual = false
    if (known.has(field) || !Object.hasOwn(input, field)) continue
    const value = (input as Record<string, unknown>)[field]
    // What JSON has no place for isn't written, and so isn't given back as written.
    if (value === undefined || typeof value === 'function' || typeof value === 'symbol') continue
    unknown ??= []
    unknown.push([field, value])
  }
  if (unknown === null) {
    // An unknown member that has no value now may have one in the next event.
    if (!isUsual && Object.keys(input).every((field) => known.has(field))) {
      usualFields[type] = Object.keys(input)
    }
    return null
  }
  // fromEntries, because assigning to a key named __proto__ would set a prototype instead.
  return Object.fromEntries(unknown)
}

function completeRequestLog(input: object, defaults: EventDefaults): RequestLogged {
  const log = asRequestLog(input, defaults)
  const timestamp = log.timestamp === undefined ? defaults.timestamp() : canonicalTimestamp(log.timestamp)
  if (timestamp === null) throw new InvalidEventError([timestampProblem(log.timestamp, defaults)])
  const event: RequestLogged = {
    type: 'request_logged',
    correlation_id:
      log.correlation_id === undefined ? defaults.correlationId() : safeIdentifier(log.correlation_id),
    timestamp,
    model: safeIdentifier(log.model),
    provider: safeName(log.provider),
    policy: safeName(log.policy),
    streaming: log.streaming ?? false,
    input_tokens: safeNumber(log.input_tokens),
    output_tokens: safeNumber(log.output_tokens),
    cost_sats: safeNumber(log.cost_sats),
    provider_cost_sats: safeNumber(log.provider_cost_sats),
    latency_ms: Math.round(log.latency_ms) + 0,
    success: log.success,
    error_status: safeNumber(log.error_status),
    error_message: cutErrorMessage(safeText(log.error_message)),
  }
  if (typeof log.attempt === 'number') event.attempt = log.attempt + 0
  if (log.labels !== undefined) event.labels = safeLabels(log.labels)
  return event
}

function asRequestLog(input: object, defaults: EventDefaults): Static<typeof RequestLogSchema> {
  if (requestLog.check(input) && !hasNul(input)) return input
  const dropped = infiniteCosts(input)
  const mended = withoutCosts(input, dropped)
  // A label that is `undefined` is one that was left out.
  const { labels } = input as { labels?: unknown }
  if (typeof labels === 'object' && labels !== null && !Array.isArray(labels)) {
    const given = Object.entries(labels).filter(([, value]) => value !== undefined)
    mended['labels'] = Object.fromEntries(given)
  }
  if (!requestLog.check(mended) || hasNul(mended)) throw invalidEvent(mended, requestLog, defaults)
  for (const member of dropped) defaults.costDropped?.(member)
  return mended
}

function infiniteCosts(input: object): CostField[] {
  return COST_FIELDS.filter((member) => {
    const value = (input as Record<string, unknown>)[member]
    return typeof value === 'number' && !Number.isFinite(value)
  })
}

function withoutCosts(input: object, members: readonly CostField[]): Record<string, unknown> {
  const mended: Record<string, unknown> = { ...input }
  for (const member of members) mended[member] = null
  return mended
}

/** In an identifier, where the schema's pattern refuses it. */
function hasNul(log: Static<typeof RequestLogSchema>): boolean {
  const { correlation_id, model, provider, policy, labels } = log
  if (isNulIn(correlation_id) || isNulIn(model) || isNulIn(provider) || isNulIn(policy)) return true
  if (labels === undefined) return false
  for (const name of Object.keys(labels)) if (isNulIn(name) || isNulIn(labels[name])) return true
  return false
}

function isNulIn(text: string | null | undefined): boolean {
  // Not includes(), which V8 does outside of compiled code.
  return text !== undefined && text !== null && text.indexOf('\0') !== -1
}

function asCompletion(input: object, defaults: EventDefaults): Static<typeof StreamCompletedSchema> {
  if (streamCompleted.check(input) && !isNulIn(input.correlation_id)) return input
  const dropped = infiniteCosts(input)
  const mended: object = withoutCosts(input, dropped)
  if (!streamCompleted.check(mended) || isNulIn(mended.correlation_id)) {
    throw invalidEvent(mended, streamCompleted, defaults)
  }
  for (const member of dropped) defaults.costDropped?.(member)
  return mended
}

function completeStreamCompleted(from: object, defaults: EventDefaults): StreamCompleted {
  const input = asCompletion(from, defaults)
  const given = input.timestamp
  const timestamp = given === undefined || given === null ? defaults.timestamp() : canonicalTimestamp(given)
  if (timestamp === null) throw new InvalidEventError([timestampProblem(given, defaults)])
  const duration = safeNumber(input.stream_duration_ms)
  const event: StreamCompleted = {
    type: 'stream_completed',
    correlation_id: safeIdentifier(input.correlation_id),
    timestamp,
    input_tokens: safeNumber(input.input_tokens),
    output_tokens: safeNumber(input.output_tokens),
    cost_sats: safeNumber(input.cost_sats),
    provider_cost_sats: safeNumber(input.provider_cost_sats),
    stream_duration_ms: duration === null ? null : Math.round(duration),
    success: input.success ?? null,
    error_status: safeNumber(input.error_status),
    error_message: cutErrorMessage(safeText(input.error_message)),
  }
  if (typeof input.attempt === 'number') event.attempt = input.attempt + 0
  return event
}

function safeName(value: string | null | undefined): string | null {
  return value === undefined || value === null ? null : safeIdentifier(value)
}

function safeText(value: string | null | undefined): string | null {
  return value === undefined || value === null ? null : value.toWellFormed()
}

function safeNumber(value: number | null | undefined): number | null {
  // + 0 turns −0 into 0.
  return value === undefined || value === null ? null : value + 0
}

const PLAIN_MEMBER = { configurable: true, enumerable: true, writable: true }

function safeLabels(labels: Record<string, string>): Record<string, string> {
  const prototype: unknown = Object.getPrototypeOf(labels)
  if (prototype !== Object.prototype && prototype !== null) {
    // A Map has no members, and would be logged as no labels at all.
    const found = `a ${(labels.constructor as { name?: string } | undefined)?.name ?? 'class instance'}`
    throw new InvalidEventError([{ field: 'labels', found, expected: 'a plain object of strings' }])
  }
  const safe: Record<string, string> = {}
  for (const name of Object.keys(labels)) {
    const value = safeIdentifier(labels[name] ?? '')
    // Assigning to a key named __proto__ would set a prototype instead.
    if (name === '__proto__') Object.defineProperty(safe, name, { value, ...PLAIN_MEMBER })
    else safe[safeIdentifier(name)] = value
  }
  return safe
}

/** The first 4 KiB of it, cut between two characters. */
export function cutErrorMessage(text: string | null): string | null {
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (text === null || text.length * 3 <= MAX_ERROR_MESSAGE_BYTES) return text
  const bytes = Buffer.from(text)
  return bytes.length <= MAX_ERROR_MESSAGE_BYTES ? text : utf8Prefix(bytes, MAX_ERROR_MESSAGE_BYTES)
}

function invalidEvent(
  input: object,
  { fields }: CompiledSchema<unknown>,
  defaults: EventDefaults,
): InvalidEventError {
  const problems = findProblems(input, fields, defaults.redact)
  const timestamp = (input as { timestamp?: unknown }).timestamp
  if (typeof timestamp === 'string' && canonicalTimestamp(timestamp) === null) {
    problems.push(timestampProblem(timestamp, defaults))
  }
  return new InvalidEventError(problems)
}

function timestampProblem(found: unknown, { redact }: EventDefaults): EventProblem {
  return {
    field: 'timestamp',
    found: describeValue(found, redact),
    expected: "RFC 3339 with seconds and an offset, as '2026-11-22T19:43:00.123Z'",
  }
}

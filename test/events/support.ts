import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import type { JournalEvent, RequestLogged, StreamCompleted } from '../../src/events/event-types.js'
import { encodeLine, hexChecksum } from '../../src/events/line.js'
import { type NormalizeHooks, normalizeEvent } from '../../src/events/normalize-event.js'

export const ID = '7f9c24e8-3b12-4c6f-9d1a-0c5e8a4b2d10'
export const NOW = '2026-11-22T19:43:00.123Z'

export const defaults: NormalizeHooks = { correlationId: () => ID, timestamp: () => NOW }

/** The least that a RequestLog must say. */
export const leastLog = { model: 'gpt-5', latency_ms: 12, success: true }

export function normalizedLog(log: object): RequestLogged {
  const event = normalizeEvent(log, defaults)
  if (event.type !== 'request_logged') throw new Error(`expected a request_logged, found ${event.type}`)
  return event
}

export function normalizedCompletion(completion: object): StreamCompleted {
  const event = normalizeEvent(completion, defaults)
  if (event.type !== 'stream_completed') throw new Error(`expected a stream_completed, found ${event.type}`)
  return event
}

/** A line of ours, without its newline, in a buffer of its own. */
export function lineOf(event: JournalEvent, unknown: Record<string, unknown> | null = null): Buffer {
  const line = encodeLine(event, unknown)
  return Buffer.from(line.subarray(0, line.length - 1))
}

export function logLine(name: string): Buffer {
  return lineOf(normalizedLog({ ...leastLog, correlation_id: name }))
}

/** Texts that are awkward somewhere: quotes, newlines, markers of ours, every plane of Unicode. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '',
    'a\nb',
    '\r\n',
    '"}',
    '{"type":"request_logged"}',
    ',"crc32":"00000000"}',
    '\\',
    '\u2028',
  ),
)
const identifier = text.map((value) => value.replaceAll('\0', ''))
const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const count = nullable(fc.maxSafeNat())
const sats = nullable(fc.double({ noNaN: true, noDefaultInfinity: true }))
const timestamp = fc
  .date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  })
  .map((date) => date.toISOString())
const labelName = fc.oneof(identifier, fc.constantFrom('__proto__', 'type', 'crc32', 'toJSON', 'constructor'))
const labels = fc
  .array(fc.tuple(labelName, identifier), { maxLength: 4 })
  .map((entries): Record<string, string> => Object.fromEntries(entries))

const outcome = {
  input_tokens: count,
  output_tokens: count,
  cost_sats: sats,
  provider_cost_sats: sats,
  error_status: nullable(fc.integer()),
  error_message: nullable(text),
}
const attempt = fc.option(fc.maxSafeNat(), { nil: undefined })

const requestLogged = fc.record(
  {
    type: fc.constant('request_logged' as const),
    correlation_id: identifier,
    timestamp,
    model: identifier,
    provider: nullable(identifier),
    policy: nullable(identifier),
    streaming: fc.boolean(),
    latency_ms: fc.maxSafeNat(),
    success: fc.boolean(),
    ...outcome,
    attempt,
    labels,
  },
  {
    requiredKeys: [
      'type',
      'correlation_id',
      'timestamp',
      'model',
      'provider',
      'policy',
      'streaming',
      'latency_ms',
      'success',
      ...(Object.keys(outcome) as (keyof typeof outcome)[]),
    ],
  },
)

const streamCompleted = fc.record({
  type: fc.constant('stream_completed' as const),
  correlation_id: identifier,
  timestamp,
  stream_duration_ms: nullable(fc.maxSafeNat()),
  success: nullable(fc.boolean()),
  ...outcome,
  attempt,
})

/** Any event as a caller may give it with every field said, made safe. */
export const anyEvent: fc.Arbitrary<JournalEvent> = fc
  .oneof(requestLogged, streamCompleted)
  .map((event) => normalizeEvent(event, defaults))

export function checksumOf(bytes: Buffer): string {
  return hexChecksum(crc32(bytes))
}

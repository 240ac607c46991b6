import fc from 'fast-check'
import { expect, test } from 'vitest'
import { normalizeEvent } from '../../src/events/normalize-event.js'
import { serializeOpen } from '../../src/events/serialize.js'
import { runs } from '../support/runs.js'

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('"', '\\', '\u007f'),
)
const name = text.map((value) => value.replaceAll('\0', ''))
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const outcome = {
  input_tokens: orNull(fc.maxSafeNat()),
  output_tokens: orNull(fc.maxSafeNat()),
  cost_sats: orNull(fc.double({ noNaN: true, noDefaultInfinity: true })),
  provider_cost_sats: orNull(fc.double({ noNaN: true, noDefaultInfinity: true })),
  error_status: orNull(fc.maxSafeInteger()),
  error_message: orNull(text),
}
const request = fc.record({
  ...outcome,
  correlation_id: name,
  attempt: fc.constantFrom(undefined, null, 0, 7),
  model: name,
  provider: orNull(name),
  policy: orNull(name),
  latency_ms: fc.maxSafeNat(),
  streaming: fc.boolean(),
  success: fc.boolean(),
  labels: fc.option(fc.dictionary(name, name), { nil: undefined }),
})
const completion = fc.record({
  ...outcome,
  type: fc.constant('stream_completed'),
  correlation_id: name,
  attempt: fc.constantFrom(undefined, null, 0, 7),
  stream_duration_ms: orNull(fc.maxSafeNat()),
  success: orNull(fc.boolean()),
})

test('serializeOpen writes what JSON.stringify writes, without the closing brace', () => {
  const defaults = { correlationId: () => 'id', timestamp: () => '2026-11-22T10:00:00.000Z' }
  fc.assert(
    fc.property(fc.oneof(request, completion), (input) => {
      const event = normalizeEvent(input, defaults)
      // Labels may have a space more, where they would look like the start or the end of a line.
      expect(JSON.stringify(JSON.parse(`${serializeOpen(event)}}`))).toBe(JSON.stringify(event))
    }),
    runs(300),
  )
})

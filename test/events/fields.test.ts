import fc from 'fast-check'
import Schema from 'typebox/schema'
import { describe, expect, test } from 'vitest'
import { InvalidEventError } from '../../src/events/errors.js'
import { FIELDS } from '../../src/events/fields.js'
import { normalizeEvent } from '../../src/events/normalize-event.js'
import { runs } from '../support/runs.js'
import { eventJsonSchema } from './event-schema.js'
import { defaults, leastLog } from './support.js'

const validator = Schema.Compile(eventJsonSchema())

/** The fields that an event is refused for. */
function refusedFields(event: object): string[] {
  try {
    normalizeEvent(event, defaults)
    return []
  } catch (error) {
    if (error instanceof InvalidEventError) return error.problems.map(({ field }) => field)
    throw error
  }
}

const value = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 'stream_completed', 'a\0b', '', -1, 0, 1.5, -1.5, 10n),
  fc.constantFrom<unknown>(2 ** 53 - 1, 2 ** 53, 1 - 2 ** 53, -(2 ** 53), {}, [], ['x']),
  fc.constantFrom<unknown>({ team: 'x' }, { team: 7 }, { team: null }, { 'a\0': 'x' }, { team: 'a\0b' }),
  fc.constantFrom<unknown>('2026-11-22T19:43:00.123Z', '2026-11-22', '2026-11-22T19:43:00+25:00'),
  fc.string(),
  fc.nat(),
)

describe.for([
  ['request_logged', leastLog] as const,
  ['stream_completed', { type: 'stream_completed', correlation_id: 'c' }] as const,
])('%s', ([type, least]) => {
  test.for(Object.keys(FIELDS[type]))('%s is refused exactly where event.schema.json refuses it', (field) => {
    fc.assert(
      fc.property(value, (found) => {
        const event = { ...least, [field]: found }
        const refused = refusedFields(event)
        expect(refused.length === 0).toBe(validator.Check(event))
        expect(refused.every((name) => name === field || name.startsWith(`${field}.`))).toBe(true)
      }),
      runs(80),
    )
  })

  test('a required field may not be left out, any other may', () => {
    for (const [field, { presence }] of Object.entries(FIELDS[type])) {
      const event = { ...least, [field]: undefined }
      expect(refusedFields(event), field).toEqual(presence === 'required' ? [field] : [])
    }
  })
})

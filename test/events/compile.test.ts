import { readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { Compile } from 'typebox/compile'
import { expect, test } from 'vitest'
import { compiledSchemas } from '../../src/events/compile.js'
import { requestLog, streamCompleted } from '../../src/events/compiled-schemas.js'
import { RequestLogSchema, StreamCompletedSchema } from '../../src/events/schema.js'

const FILE = new URL('../../src/events/compiled-schemas.ts', import.meta.url)
const REGENERATE = 'UPDATE_SCHEMA=1 npx vitest run test/events/compile.test.ts'

test('compiled-schemas.ts is what the TypeBox schemas say', () => {
  const text = compiledSchemas()
  if (process.env['UPDATE_SCHEMA'] === '1') writeFileSync(FILE, text)
  expect(readFileSync(FILE, 'utf8'), `the schemas have changed; regenerate it with: ${REGENERATE}`).toBe(text)
})

const value = fc.oneof(
  fc.constantFrom(
    null,
    undefined,
    true,
    'request_logged',
    'stream_completed',
    'a\0b',
    -1,
    1.5,
    2 ** 53,
    {},
    [],
  ),
  fc.constantFrom({ team: 'x' }, { team: 7 }, { 'a\0': 'x' }, Number.NaN, Number.POSITIVE_INFINITY, 10n),
  fc.string(),
  fc.nat(),
)

test.for([
  ['request_logged', RequestLogSchema, requestLog] as const,
  ['stream_completed', StreamCompletedSchema, streamCompleted] as const,
])('%s is checked as TypeBox checks it, field by field', ([, schema, compiled]) => {
  const fields = Object.entries(schema.properties).map(
    ([name, fieldSchema]) => [name, Compile(fieldSchema)] as const,
  )
  expect(Object.keys(compiled.fields)).toEqual(fields.map(([name]) => name))
  fc.assert(
    fc.property(value, (found) => {
      for (const [name, validator] of fields) {
        expect(compiled.fields[name]?.check(found), name).toBe(validator.Check(found))
      }
    }),
  )
})

test('the whole is refused where a field is missing or another', () => {
  const log = { model: 'gpt-4o', latency_ms: 842, success: true }
  expect(requestLog.check(log)).toBe(true)
  for (const field of Object.keys(log)) {
    expect(requestLog.check({ ...log, [field]: undefined }), field).toBe(false)
    expect(requestLog.check({ ...log, [field]: {} }), field).toBe(false)
  }
  expect(streamCompleted.check({ type: 'stream_completed', correlation_id: 'a' })).toBe(true)
  expect(streamCompleted.check({ type: 'stream_completed' })).toBe(false)
})

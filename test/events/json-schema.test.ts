import { readFileSync, writeFileSync } from 'node:fs'
import Schema from 'typebox/schema'
import { describe, expect, test } from 'vitest'
import { eventJsonSchema } from './event-schema.js'

const FILE = new URL('../../journal/event.schema.json', import.meta.url)
const REGENERATE = 'UPDATE_SCHEMA=1 npx vitest run test/events/json-schema.test.ts'

const MINIMAL = { model: 'gpt-4o', latency_ms: 842, success: true }

describe('journal/event.schema.json', () => {
  test('is what the table of fields says', () => {
    const text = `${JSON.stringify(eventJsonSchema(), null, 2)}\n`
    if (process.env['UPDATE_SCHEMA'] === '1') writeFileSync(FILE, text)
    expect(readFileSync(FILE, 'utf8'), `the fields have changed; regenerate it with: ${REGENERATE}`).toBe(
      text,
    )
  })
})

describe('eventJsonSchema', () => {
  const validator = Schema.Compile(eventJsonSchema())

  test.each([
    ['a minimal request', MINIMAL],
    [
      'a request with its type and an unknown member',
      { type: 'request_logged', ...MINIMAL, region: { a: 1 } },
    ],
    ['a request with every null', { ...MINIMAL, provider: null, policy: null, error_message: null }],
    ['labels', { ...MINIMAL, labels: { team: 'search' } }],
    ['a minimal stream_completed', { type: 'stream_completed', correlation_id: 'a' }],
    ['a timestamp with an offset', { ...MINIMAL, timestamp: '2026-11-22T19:43:00+01:00' }],
    ['a checksum', { ...MINIMAL, crc32: '9ae0daaf' }],
  ])('takes %s', (_name, event) => {
    expect(validator.Check(event)).toBe(true)
  })

  test.each([
    ['an absent model', { latency_ms: 842, success: true }],
    ['an unknown type', { ...MINIMAL, type: 'price_changed' }],
    ['negative tokens', { ...MINIMAL, input_tokens: -1 }],
    ['a fraction of a token', { ...MINIMAL, input_tokens: 1.5 }],
    ['NUL in a model', { ...MINIMAL, model: 'a\0b' }],
    ['a label that is a number', { ...MINIMAL, labels: { team: 7 } }],
    ['a stream_completed without its request', { type: 'stream_completed' }],
    ['a timestamp that is none', { ...MINIMAL, timestamp: 'yesterday' }],
    ['a checksum in capitals', { ...MINIMAL, crc32: '9AE0DAAF' }],
  ])('refuses %s', (_name, event) => {
    expect(validator.Check(event)).toBe(false)
  })
})

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeLine } from '../../src/events/line.js'
import { safeIdentifier } from '../../src/events/value-kinds.js'
import { runs } from '../support/runs.js'
import { defaults, leastLog, normalizedLog } from './support.js'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const bytes = (text: string) => Buffer.byteLength(text)

test.each([
  ['1,024 bytes stay', 'm'.repeat(1024), 'm'.repeat(1024)],
  ['1,025 are cut', 'm'.repeat(1025), `${'m'.repeat(950)}...sha256:${sha256('m'.repeat(1025))}`],
  ['bytes count, not characters', '夜'.repeat(341), '夜'.repeat(341)],
  ['no character is cut', '夜'.repeat(342), `${'夜'.repeat(316)}...sha256:${sha256('夜'.repeat(342))}`],
  ['nor half an emoji', '🙂'.repeat(257), `${'🙂'.repeat(237)}...sha256:${sha256('🙂'.repeat(257))}`],
  [
    'lone surrogates are replaced before the hash is made',
    '\ud800'.repeat(400),
    `${'\ufffd'.repeat(316)}...sha256:${sha256('\ufffd'.repeat(400))}`,
  ],
])('an identifier of any length is kept in 1 KiB: %s', (_, given, expected) => {
  expect(safeIdentifier(given)).toBe(expected)
})

test('a cut identifier stays as it is when it is read again, and different ones stay different', () => {
  const long = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }).map((text) => text.repeat(1100))
  fc.assert(
    fc.property(long, long, (one, other) => {
      const cut = safeIdentifier(one)
      expect(bytes(cut)).toBeLessThanOrEqual(1024)
      expect(safeIdentifier(cut)).toBe(cut)
      expect(cut === safeIdentifier(other)).toBe(one.toWellFormed() === other.toWellFormed())
    }),
    runs(50),
  )
})

test('the specification gives the same example', () => {
  const specification = readFileSync(new URL('../../journal/README.md', import.meta.url), 'utf8')
  expect(specification).toContain(`...sha256:${sha256('m'.repeat(1025))}`)
})

test('every identifier of an event is cut, and a NUL far into one is still refused', () => {
  const long = 'x'.repeat(5000)
  const names = { correlation_id: long, model: long, provider: long, policy: long }
  const event = normalizedLog({ ...leastLog, ...names, labels: { [long]: long } })
  const { correlation_id, model, provider, policy, labels } = event
  const cut = safeIdentifier(long)
  expect([correlation_id, model, provider, policy, ...Object.entries(labels ?? {}).flat()]).toEqual(
    Array(6).fill(cut),
  )
  expect(() => normalizedLog({ ...leastLog, model: `${long}\0` })).toThrow('model: found')
})

describe('names of members that V8 hashes by their length alone', () => {
  const name = (index: number) => `${'x'.repeat(16_400)}${String(index).padStart(5, '0')}`

  // Without cutting them first this takes minutes, which the test's own limit ends.
  test.each([
    ['unknown members', (text: string) => `"${text}":1`],
    ['labels', (text: string) => `"labels":{"${text}":"v"}`],
  ])('%s cost time that is linear in the number of lines', (_, member) => {
    const line = (index: number) =>
      Buffer.from(`{"model":"m","latency_ms":1,${member(name(index))},"success":true}`)
    const decoded = Array.from({ length: 5000 }, (__, index) => decodeLine(line(index), defaults))
    expect(decoded.filter((result) => 'reason' in result)).toEqual([])
  })

  test.each([
    ['as JSON may be written', `{"${name(1)}\\"\\\\" \t: "1", "model":"m","latency_ms":1,"success":true}`],
    ['a text that isn’t a name', `{"model":"m","latency_ms":1,"success":true,"note":"${name(1)}"}`],
  ])('are read like any other: %s', (_, line) => {
    expect(decodeLine(Buffer.from(line), defaults)).toMatchObject({ event: { model: 'm' } })
  })

  test.each([
    ['a bad escape', `{"${name(1)}\\x":1,"model":"m","latency_ms":1,"success":true}`],
    ['no end', `{"model":"m","latency_ms":1,"success":true,"${'\\"'.repeat(500_000)}`],
  ])('are rejected like any other: %s', (_, line) => {
    expect(decodeLine(Buffer.from(line), defaults)).toMatchObject({ reason: 'not_json' })
  })
})

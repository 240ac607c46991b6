import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InvalidEventError } from '../../src/events/errors.js'
import type { JournalEvent } from '../../src/events/event-types.js'
import { decodeLine, encodeLine, isBlankLine, MAX_LINE_BYTES, parseLine } from '../../src/events/line.js'
import { recoverEvents } from '../../src/events/recovery.js'
import { runs } from '../support/runs.js'
import {
  anyEvent,
  checksumOf,
  defaults,
  ID,
  leastLog,
  lineOf,
  NOW,
  normalizedCompletion,
  normalizedLog,
} from './support.js'

const decode = (line: string | Buffer) => decodeLine(Buffer.from(line), defaults)

function reasonOf(line: string | Buffer): string {
  const decoded = decode(line)
  return 'reason' in decoded ? decoded.reason : 'none'
}

/** Text with a checksum that holds, whatever it says. */
function sealed(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([bytes, Buffer.from(`,"crc32":"${checksumOf(bytes)}"}`)])
}

describe('encoding', () => {
  test('an event is written as exactly this line', () => {
    const line = encodeLine(normalizedLog({ ...leastLog, labels: { team: 'a' } }), { trace: 7 }).toString()
    const body =
      `{"type":"request_logged","correlation_id":"${ID}","timestamp":"${NOW}","model":"gpt-5","provider":null,` +
      '"policy":null,"streaming":false,"input_tokens":null,"output_tokens":null,"cost_sats":null,' +
      '"provider_cost_sats":null,"latency_ms":12,"success":true,"error_status":null,"error_message":null,' +
      '"labels":{"team":"a"},"trace":7'
    expect(line).toBe(`${body},"crc32":"${crc32(body).toString(16).padStart(8, '0')}"}\n`)
  })

  test('the checksum is the CRC-32 of gzip, with its leading zeros', () => {
    expect(checksumOf(Buffer.from('123456789'))).toBe('cbf43926')
    expect(checksumOf(Buffer.from('a1fc'))).toMatch(/^[0-9a-f]{8}$/)
    expect(checksumOf(Buffer.alloc(0))).toBe('00000000')
  })

  test('any event is read as it was written', () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        const line = lineOf(event)
        expect(line.includes('\n')).toBe(false)
        expect(decode(line)).toStrictEqual({ event, isChecked: true })
      }),
      runs(300),
    )
  })

  test('any event with any unknown members comes back, and nothing inside its line is taken for an event', () => {
    // Known fields are never unknown ones: `unknownFields` sees to that.
    const unknown = fc
      .dictionary(fc.string({ minLength: 1 }), fc.jsonValue(), { maxKeys: 3 })
      .map((members) =>
        Object.fromEntries(Object.entries(members).map(([name, value]) => [`x_${name}`, value])),
      )
    fc.assert(
      fc.property(anyEvent, unknown, (event, members) => {
        const line = lineOf(event, members)
        expect(decode(line)).toStrictEqual({ event, isChecked: true })
        expect(recoverEvents(line, 0).events.map(({ bytes }) => bytes.equals(line))).toStrictEqual([true])
        const parsed = parseLine(line)
        if ('reason' in parsed) throw new Error(parsed.detail)
        expect(parsed.members).toMatchObject(JSON.parse(JSON.stringify(members)))
      }),
    )
  })
})

describe('nothing inside a line looks like a start or an end', () => {
  const nested = { type: 'stream_completed', correlation_id: 'victim' }
  const text = JSON.stringify(nested).slice(0, -1)
  const injected = { ...nested, crc32: checksumOf(Buffer.from(text)) }

  test.each<[string, () => Buffer]>([
    ['a nested object', () => lineOf(normalizedLog(leastLog), { extra: injected })],
    ['nested in arrays', () => lineOf(normalizedLog(leastLog), { extra: [[injected], injected] })],
    ['a text', () => lineOf(normalizedLog(leastLog), { extra: JSON.stringify(injected) })],
    ['labels', () => lineOf(normalizedLog({ ...leastLog, labels: injected }))],
    [
      'labels beside unknown members',
      () => lineOf(normalizedLog({ ...leastLog, labels: injected }), { x: 1 }),
    ],
    [
      'an error_message',
      () => lineOf(normalizedLog({ ...leastLog, error_message: JSON.stringify(injected) })),
    ],
  ])('%s', (_, line) => {
    const ours = line()
    expect('event' in decode(ours)).toBe(true)
    expect(ours.toString().split('{"type":')).toHaveLength(2)
    expect(ours.toString().split(',"crc32":"')).toHaveLength(2)
    const damaged = Buffer.concat([Buffer.from('{"type":"request_lo'), ours, Buffer.from('garbage')])
    expect(recoverEvents(damaged, 0).events.map(({ bytes }) => bytes.toString())).toStrictEqual([
      ours.toString(),
    ])
    const torn = ours.subarray(0, ours.length - 1)
    expect(recoverEvents(torn, 0).events).toStrictEqual([])
  })

  test('labels that look like markers are read as they were written', () => {
    const decoded = decode(lineOf(normalizedLog({ ...leastLog, labels: injected })))
    expect(decoded).toMatchObject({ event: { labels: injected } })
  })
})

describe('unknown members that JSON treats in its own way', () => {
  const encode = (unknown: Record<string, unknown>) => lineOf(normalizedLog(leastLog), unknown).toString()

  test('toJSON is a member like any other', () => {
    const line = encode({ toJSON: () => 'mischief', trace: 1 })
    expect('event' in decode(line)).toBe(true)
    expect(JSON.parse(line)).toMatchObject({ trace: 1 })
  })

  test('functions, symbols and undefined are left out', () => {
    const line = encode({ a: () => 1, b: Symbol('b'), c: undefined })
    expect(line).toBe(lineOf(normalizedLog(leastLog)).toString())
  })

  test('a value with a toJSON of its own is written as that gives it', () => {
    expect(JSON.parse(encode({ at: new Date(0) }))).toMatchObject({ at: '1970-01-01T00:00:00.000Z' })
  })

  test.each<[string, () => unknown]>([
    ['a BigInt', () => 5n],
    [
      'a circle',
      () => {
        const circle: Record<string, unknown> = {}
        circle['self'] = circle
        return circle
      },
    ],
    [
      'nested too deep',
      () => {
        let deep: unknown[] = []
        for (let i = 0; i < 100_000; i++) deep = [deep]
        return deep
      },
    ],
    [
      'a toJSON that throws',
      () => ({
        toJSON() {
          throw new Error('no')
        },
      }),
    ],
  ])('%s is an invalid event that names the member', (_, make) => {
    const bad = make()
    expect(() => encode({ fine: 1, bad })).toThrow(InvalidEventError)
    expect(() => encode({ fine: 1, bad })).toThrow('bad: found')
  })
})

test('a cost beyond all doubles becomes null', () => {
  const line = '{"model":"m","latency_ms":1,"cost_sats":1e999,"success":true}'
  expect(decode(Buffer.from(line))).toMatchObject({ event: { model: 'm', cost_sats: null } })
})

describe('at most 1 MiB', () => {
  const event = normalizedLog(leastLog)
  const padding = (length: number) => ({ x: 'a'.repeat(length) })
  const overhead = encodeLine(event, padding(0)).length

  test('a line of exactly 1 MiB is written and read', () => {
    const longest = padding(MAX_LINE_BYTES - overhead)
    expect(encodeLine(event, longest)).toHaveLength(MAX_LINE_BYTES)
    expect(decode(lineOf(event, longest))).toStrictEqual({ event, isChecked: true })
  })

  test('a longer line is refused; bytes count, not characters', () => {
    expect(() => encodeLine(event, padding(MAX_LINE_BYTES - overhead + 1))).toThrow(
      `found a line of ${MAX_LINE_BYTES + 1} bytes, expected at most ${MAX_LINE_BYTES} (1 MiB)`,
    )
    expect(() => encodeLine(event, { x: '€'.repeat(MAX_LINE_BYTES / 2) })).toThrow(InvalidEventError)
    expect(() => encodeLine(event, padding(20 * MAX_LINE_BYTES))).toThrow(InvalidEventError)
  })

  test('a line of one byte more is rejected when it is read', () => {
    const foreign = `{"model":"m","latency_ms":1,"success":true,"x":"`
    const room = MAX_LINE_BYTES - 1 - foreign.length - 2
    expect(reasonOf(`${foreign}${'a'.repeat(room)}"}`)).toBe('none')
    expect(reasonOf(`${foreign}${'a'.repeat(room + 1)}"}`)).toBe('too_long')
  })

  test('a refused line leaves the encoder as it was', () => {
    expect(() => encodeLine(event, padding(MAX_LINE_BYTES))).toThrow(InvalidEventError)
    expect(decode(lineOf(event))).toMatchObject({ isChecked: true })
  })
})

describe('foreign lines', () => {
  test('a line without type and crc32 is a request_logged that nothing vouches for', () => {
    expect(decode('{"model":"gpt-5","latency_ms":12,"success":true}')).toStrictEqual({
      event: normalizedLog(leastLog),
      isChecked: false,
    })
  })

  test.each([
    ['spaces anywhere', ' { "model" : "gpt-5" , "latency_ms" : 12 , "success" : true } '],
    ['CRLF', '{"model":"gpt-5","latency_ms":12,"success":true}\r'],
    ['a tab at the end', '{"model":"gpt-5","latency_ms":12,"success":true}\t'],
    ['escapes', '{"model":"gpt\\u002d5","latency_ms":1.2e1,"success":true}'],
    ['unknown members', '{"model":"gpt-5","latency_ms":12,"success":true,"x":{"type":"y"},"z":1e999}'],
    ['a duplicate key: the last one counts', '{"model":"no","model":"gpt-5","latency_ms":12,"success":true}'],
    [
      'a member named __proto__',
      '{"__proto__":{"model":"no"},"model":"gpt-5","latency_ms":12,"success":true}',
    ],
    [
      'a last member of eight characters under a longer key',
      '{"model":"gpt-5","latency_ms":12,"success":true,"sha256":"12345678"}',
    ],
    [
      'a last member of nine characters under a five-letter key',
      '{"model":"gpt-5","latency_ms":12,"success":true,"tag_a":"123456789"}',
    ],
  ])('with %s', (_, line) => {
    expect(decode(line)).toStrictEqual({ event: normalizedLog(leastLog), isChecked: false })
  })

  test('a prototype gives no fields', () => {
    expect(reasonOf('{"__proto__":{"model":"m","latency_ms":1,"success":true}}')).toBe('invalid_event')
  })

  test('our own line with CRLF is still checked', () => {
    const line = Buffer.concat([lineOf(normalizedLog(leastLog)), Buffer.from('\r')])
    expect(decode(line)).toStrictEqual({ event: normalizedLog(leastLog), isChecked: true })
  })

  test('a line with a checksum is checked, whatever its order and its members', () => {
    const line = sealed('{"success":true,"latency_ms":12,"extra":[1],"model":"gpt-5"')
    expect(decode(line)).toStrictEqual({ event: normalizedLog(leastLog), isChecked: true })
  })

  test.each(['', ' ', '\t', '\r', ' \r', '\n'])('%j is blank', (line) => {
    expect(isBlankLine(Buffer.from(line))).toBe(true)
  })

  test.each(['{}', '\0', '\u00a0', '\ufeff', '\v', ' x '])('%j is not blank', (line) => {
    expect(isBlankLine(Buffer.from(line))).toBe(false)
  })
})

describe('rejected lines, each with its reason', () => {
  const ok = '"model":"m","latency_ms":1,"success":true'
  const depth = 200_000
  test.each<[string, string | Buffer, string]>([
    ['no JSON', '{"model":', 'not_json'],
    ['text', 'hello', 'not_json'],
    ['NULs, as a power cut leaves them', '\0'.repeat(64), 'not_json'],
    ['a byte order mark', `\ufeff{${ok}}`, 'not_json'],
    ['two objects', `{${ok}}{${ok}}`, 'not_json'],
    ['a trailing comma', `{${ok},}`, 'not_json'],
    ['NaN', `{${ok},"cost_sats":NaN}`, 'not_json'],
    ['UTF-8 cut short', Buffer.from(`{${ok},"x":"é"}`).subarray(0, -3), 'not_utf8'],
    ['Latin-1', Buffer.from(`{${ok},"x":"é"}`, 'latin1'), 'not_utf8'],
    ['an overlong encoding', Buffer.from(`{${ok},"x":"\xc0\xaf"}`, 'latin1'), 'not_utf8'],
    ['a surrogate in UTF-8', Buffer.from(`{${ok},"x":"\xed\xa0\x80"}`, 'latin1'), 'not_utf8'],
    ['an array', `[{${ok}}]`, 'not_an_object'],
    ['null', 'null', 'not_an_object'],
    ['a number', '5', 'not_an_object'],
    ['a text in quotes', '"x"', 'not_an_object'],
    ['deep nesting that never ends', '['.repeat(depth), 'not_json'],
    ['deep nesting', `${'['.repeat(depth)}${']'.repeat(depth)}`, 'not_an_object'],
    ['deep objects that never end', '{"a":'.repeat(depth), 'not_json'],
    ['deep nesting as the type', `{"type":${'['.repeat(depth)}${']'.repeat(depth)}}`, 'unknown_type'],
    [
      'deep nesting as a field',
      `{"model":${'['.repeat(depth)}${']'.repeat(depth)},"latency_ms":1,"success":true}`,
      'invalid_event',
    ],
    ['an infinite latency', '{"model":"m","latency_ms":1e999,"success":true}', 'invalid_event'],
    ['an integer beyond 2^53', `{${ok},"input_tokens":9007199254740992}`, 'invalid_event'],
    ['a field missing', '{"model":"m"}', 'invalid_event'],
    ['NUL in a model', '{"model":"a\\u0000","latency_ms":1,"success":true}', 'invalid_event'],
    ['a bad timestamp', `{${ok},"timestamp":"2026-02-30T00:00:00Z"}`, 'invalid_event'],
    ['a type from later', `{"type":"price_changed",${ok}}`, 'unknown_type'],
    ['a type that is null', `{"type":null,${ok}}`, 'unknown_type'],
    ['a checked type from later', sealed(`{"type":"price_changed",${ok}`), 'unknown_type'],
    ['a wrong checksum', `{${ok},"crc32":"00000000"}`, 'checksum_mismatch'],
    ['nothing but a checksum', sealed('{'), 'not_json'],
    ['a checked comma too many', sealed('{"model":"m",'), 'not_json'],
    ['a checked text without its end', sealed('{"model":"m'), 'not_json'],
    ['a checked object inside another', sealed('{"model":{"a":1'), 'not_json'],
    ['crc32 not last', `{"crc32":"00000000",${ok}}`, 'damaged_checksum'],
    ['crc32 in upper case', `{${ok},"crc32":"9AE0DAAF"}`, 'damaged_checksum'],
    ['crc32 behind a space', `{${ok}, "crc32":"9ae0daaf"}`, 'damaged_checksum'],
    ['crc32 with seven digits', `{${ok},"crc32":"9ae0daa"}`, 'damaged_checksum'],
    ['crc32 as a number', `{${ok},"crc32":12345678}`, 'damaged_checksum'],
    ['crc32 as null', `{${ok},"crc32":null}`, 'damaged_checksum'],
    ['a five-letter key with eight characters', `{${ok},"crc23":"9ae0daaf"}`, 'damaged_checksum'],
    ['the same with other characters', `{${ok},"token":"ABCDEFGH"}`, 'damaged_checksum'],
    ['crc32 in UTF-8 digits', `{${ok},"crc32":"９９ab"}`, 'damaged_checksum'],
  ])('%s', (_, line, reason) => {
    const decoded = decode(line)
    expect('reason' in decoded && decoded.reason).toBe(reason)
    expect('reason' in decoded && decoded.detail.length).toBeGreaterThan(5)
    expect('reason' in decoded && decoded.detail.length).toBeLessThan(400)
  })

  test('an unknown type is named', () => {
    expect(decode('{"type":"price_changed"}')).toMatchObject({
      detail: expect.stringContaining('"price_changed"'),
    })
  })
})

describe('a line with one flipped bit', () => {
  const events: [string, JournalEvent, Record<string, unknown> | null][] = [
    ['the least log', normalizedLog(leastLog), null],
    [
      'a full log',
      normalizedLog({
        ...leastLog,
        provider: 'açaí',
        error_message: 'a "quoted" \\ \n text',
        error_status: 500,
        labels: { type: 'x', crc32: '01234567' },
      }),
      null,
    ],
    ['a last member that is a number', normalizedLog(leastLog), { n: 5 }],
    ['a last member that is an object', normalizedLog(leastLog), { type2: { type: 'request_logged' } }],
    ['a completion', normalizedCompletion({ type: 'stream_completed', correlation_id: 'c' }), null],
  ]

  test.each(events)('is never read: %s', (_, event, unknown) => {
    const line = lineOf(event, unknown)
    for (let bit = 0; bit < line.length * 8; bit++) {
      const flipped = Buffer.from(line)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      // A flip may make a newline, and two lines of one.
      let offset = 0
      for (const piece of flipped.toString('latin1').split('\n')) {
        const bytes = Buffer.from(piece, 'latin1')
        const decoded = decode(bytes)
        if ('event' in decoded) throw new Error(`bit ${bit} gives an event: ${piece}`)
        if (recoverEvents(bytes, offset).events.length > 0)
          throw new Error(`bit ${bit} recovers an event: ${piece}`)
        offset += bytes.length + 1
      }
    }
  })

  test('is split again if the bit was in its newline: both events are found', () => {
    const [a, b] = [lineOf(normalizedLog(leastLog)), lineOf(normalizedLog({ ...leastLog, model: 'b' }))]
    for (let bit = 0; bit < 8; bit++) {
      const fused = Buffer.concat([a, Buffer.from([0x0a ^ (1 << bit)]), b])
      expect('event' in decode(fused)).toBe(false)
      expect(recoverEvents(fused, 0).events).toStrictEqual([
        { byteOffset: 0, bytes: a },
        { byteOffset: a.length + 1, bytes: b },
      ])
    }
  })
})

test('a line cut anywhere is never read, and garbage never throws', () => {
  const line = lineOf(normalizedLog(leastLog))
  for (let end = 1; end < line.length; end++) {
    expect('event' in decode(line.subarray(0, end))).toBe(false)
    expect('event' in decode(line.subarray(end))).toBe(false)
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isSealed) => {
      const decoded = decode(isSealed ? sealed(Buffer.from(bytes)) : Buffer.from(bytes))
      expect('reason' in decoded || 'event' in decoded).toBe(true)
    }),
  )
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeLine, MAX_LINE_BYTES } from '../../src/events/line.js'
import { EventRecovery, type RecoveredEvent, recoverEvents } from '../../src/events/recovery.js'
import { runs } from '../support/runs.js'
import { anyEvent, checksumOf, defaults, leastLog, lineOf, logLine, normalizedLog } from './support.js'

const A = logLine('a')
const B = logLine('b')
const C = logLine('c')

interface Expected {
  byteOffset: number
  bytes: Buffer
}

/** As texts, which compare fast and read well. */
function shown(events: readonly RecoveredEvent[]): [number, string][] {
  return events.map(({ byteOffset, bytes }) => [byteOffset, bytes.toString('latin1')])
}

/** Parts put behind one another, and where those that are events must be found. */
function fused(parts: (Buffer | string)[], base = 0): { line: Buffer; expected: Expected[] } {
  const expected: Expected[] = []
  let byteOffset = base
  for (const part of parts) {
    const bytes = Buffer.from(part as string)
    if (part instanceof Buffer) expected.push({ byteOffset, bytes })
    byteOffset += bytes.length
  }
  return { line: Buffer.concat(parts.map((part) => Buffer.from(part as string))), expected }
}

describe('whole events inside a line are found at their places', () => {
  test.each<[string, (Buffer | string)[]]>([
    ['one alone', [A]],
    ['two fused', [A, B]],
    ['three fused', [A, B, C]],
    ['twice the same', [A, A]],
    ['garbage between', [A, 'garbage', B]],
    ['garbage before and behind', ['\0\0\0', A, '\0']],
    ['a byte order mark', ['\ufeff', A]],
    ['a carriage return between', [A, '\r', B]],
    ['a start before', ['{"type":', A]],
    ['seven starts before', ['{"type":'.repeat(7), A]],
    ['many starts before: the nearest counts', ['{"type":'.repeat(1000), A]],
    ['an end before', [',"crc32":"00000000"}', A]],
    ['an end behind', [A, ',"crc32":"00000000"}']],
    ['half an end before', [',"crc32":"', A]],
    ['a foreign line before', ['{"model":"m","latency_ms":1,"success":true}', A]],
    ['a foreign line behind', [A, '{"model":"m","latency_ms":1,"success":true}']],
    ['a wrong checksum before', [`${A.toString().slice(0, -10)}00000000"}`, B]],
    ['nothing', ['']],
    ['nothing but garbage', ['{"type":"x","crc32":"00000000"}']],
  ])('%s', (_, parts) => {
    const { line, expected } = fused(parts, 1000)
    expect(shown(recoverEvents(line, 1000).events)).toStrictEqual(shown(expected))
  })

  test('a whole event is found after a fragment of any length', () => {
    for (let length = 0; length < A.length; length++) {
      const { line } = fused([A.subarray(0, length).toString(), B])
      expect(shown(recoverEvents(line, 7).events)).toStrictEqual(
        shown([{ byteOffset: 7 + length, bytes: B }]),
      )
    }
  })

  test('a whole event is found after the end of another, cut anywhere', () => {
    for (let start = 1; start < A.length; start++) {
      const { line, expected } = fused([A.subarray(start).toString(), B])
      expect(shown(recoverEvents(line, 0).events)).toStrictEqual(shown(expected))
    }
  })

  test('a foreign event with nested starts and a checksum is found by its first start', () => {
    const body = Buffer.from(
      '{"type":"request_logged","model":"m","latency_ms":1,"success":true,"x":{"type":"y"}',
    )
    const foreign = Buffer.concat([body, Buffer.from(`,"crc32":"${checksumOf(body)}"}`)])
    expect('event' in decodeLine(foreign, defaults)).toBe(true)
    const { line, expected } = fused(['garbage', foreign, A])
    expect(shown(recoverEvents(line, 0).events)).toStrictEqual(shown(expected))
  })

  test('a line of exactly 1 MiB is found; a longer stretch isn’t a line', () => {
    const padded = (length: number) => lineOf(normalizedLog(leastLog), { x: 'a'.repeat(length) })
    const longest = padded(MAX_LINE_BYTES - 1 - padded(0).length)
    expect(longest).toHaveLength(MAX_LINE_BYTES - 1)
    const { line, expected } = fused(['x', longest, A])
    expect(shown(recoverEvents(line, 0).events)).toStrictEqual(shown(expected))

    const body = Buffer.concat([longest.subarray(0, -20), Buffer.from(',"y":1')])
    const tooLong = `${body.toString()},"crc32":"${checksumOf(body)}"}`
    const long = fused([tooLong, A])
    expect(shown(recoverEvents(long.line, 0).events)).toStrictEqual(shown(long.expected))
  })
})

function inPieces(line: Buffer, cuts: number[], base: number): RecoveredEvent[] {
  const recovery = new EventRecovery(base)
  const reused = Buffer.alloc(line.length)
  const ends = [...new Set(cuts.map((cut) => cut % (line.length + 1)))].sort((a, b) => a - b)
  let start = 0
  for (const end of [...ends, line.length]) {
    // The caller's buffer is another's a moment later.
    line.copy(reused, 0, start, end)
    recovery.push(reused.subarray(0, end - start))
    reused.fill(0x22)
    start = end
  }
  return recovery.events
}

describe('a line that comes in pieces gives the same events', () => {
  test('when it is cut in two anywhere', () => {
    const { line, expected } = fused(['x{"type":', A, B, ',"crc32":"', C, '{"type":'], 5)
    for (let cut = 0; cut <= line.length; cut++)
      expect(shown(inPieces(line, [cut], 5))).toStrictEqual(shown(expected))
  })

  test('when it comes byte by byte', () => {
    const { line, expected } = fused(['x{"type":', A, B, ',"crc32":"', C, '{"type":'], 5)
    expect(shown(inPieces(line, [...line.keys()], 5))).toStrictEqual(shown(expected))
  })

  test('with any events, any garbage without starts between them, and any cuts', () => {
    const garbage = fc.oneof(
      fc.string(),
      fc.constantFrom(',"crc32":"', ',"crc32":"01234567"}', '"}', '{"type"', '{"type":"'),
    )
    const parts = fc.array(
      fc.oneof(
        anyEvent.map((event) => lineOf(event)),
        garbage,
      ),
      { maxLength: 8 },
    )
    fc.assert(
      fc.property(parts, fc.array(fc.nat(), { maxLength: 10 }), (found, cuts) => {
        const { line, expected } = fused(found, 77)
        expect(shown(inPieces(line, cuts, 77))).toStrictEqual(shown(expected))
      }),
      runs(150),
    )
  })
})

describe('a hostile line longer than any that is written', () => {
  const SIZE = 1.25 * 1024 * 1024
  const CHUNK = 256 * 1024

  test.each([
    ['nothing but starts', '{"type":'],
    ['nothing but ends', ',"crc32":"00000000"}'],
    ['starts and ends', '{"type":"x","crc32":"00000000"}'],
    ['many starts for each end', `${'{"type":'.repeat(20)},"crc32":"00000000"}`],
    ['one start, then ends', ',"crc32":"00000000"}', '{"type":"x"'],
    ['quotes', '"'],
  ])(
    '%s: the events at its beginning, middle and end are found',
    (_, pattern, prefix = '') => {
      const recovery = new EventRecovery(0)
      const filler = Buffer.alloc(CHUNK, pattern)
      const expected: Expected[] = []
      let byteOffset = 0
      const push = (bytes: Buffer) => {
        recovery.push(bytes)
        byteOffset += bytes.length
      }
      const pushEvent = (event: Buffer) => {
        expected.push({ byteOffset, bytes: event })
        push(event)
      }
      pushEvent(A)
      push(Buffer.from(prefix))
      while (byteOffset < SIZE / 2) push(filler)
      pushEvent(B)
      while (byteOffset < SIZE) push(filler)
      pushEvent(C)
      expect(shown(recovery.events)).toStrictEqual(shown(expected))
    },
    30_000,
  )
})

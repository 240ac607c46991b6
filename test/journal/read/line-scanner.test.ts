import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_LINE_BYTES } from '../../../src/events/line.js'
import { LineScanner } from '../../../src/journal/read/line-scanner.js'
import { logLine } from '../../events/support.js'
import { runs } from '../../support/runs.js'

interface Found {
  byteOffset: number
  length: number
  text: string | null
  recovered: [number, string][]
}

/** Pushes the bytes cut at `cuts` through one buffer that is overwritten each time, as a reader does. */
function scan(bytes: Buffer, cuts: number[], position = 0) {
  const scanner = new LineScanner(position)
  const found: Found[] = []
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  const chunk = Buffer.alloc(bytes.length)
  let start = 0
  for (const end of [...ends, bytes.length]) {
    bytes.copy(chunk, 0, start, end)
    for (const line of scanner.scan(chunk.subarray(0, end - start))) {
      found.push({
        byteOffset: line.byteOffset,
        length: line.length,
        text: line.bytes?.toString('latin1') ?? null,
        recovered: (line.recovery?.events ?? []).map(({ byteOffset, bytes: text }) => [
          byteOffset,
          text.toString('latin1'),
        ]),
      })
    }
    chunk.fill('?')
    start = end
  }
  return { found, position: scanner.position, pendingBytes: scanner.pendingBytes }
}

/** The same, said in the simplest way. */
function model(bytes: Buffer, position: number) {
  const lines = bytes.toString('latin1').split('\n')
  const rest = lines.pop() ?? ''
  let byteOffset = position
  const found = lines.map((text) => {
    const line = { byteOffset, length: text.length + 1, text, recovered: [] }
    byteOffset += line.length
    return line
  })
  return { found, position: byteOffset, pendingBytes: rest.length }
}

test('any bytes in any chunks give the same lines', () => {
  const bytes = fc.array(fc.oneof(fc.constant(0x0a), fc.integer({ min: 0, max: 255 })), { maxLength: 100 })
  const cuts = fc.array(fc.nat(), { maxLength: 20 })
  fc.assert(
    fc.property(bytes, cuts, fc.nat(), (numbers, where, position) => {
      const all = Buffer.from(numbers)
      expect(scan(all, where, position)).toStrictEqual(model(all, position))
    }),
    runs(500),
  )
})

test('nothing pushed, nothing found', () => {
  expect(scan(Buffer.alloc(0), [], 9)).toStrictEqual({ found: [], position: 9, pendingBytes: 0 })
})

test('an unterminated line is pending, and not a line', () => {
  const { found, position, pendingBytes } = scan(Buffer.from('{"a":1}\n{"b":'), [3, 10], 100)
  expect(found.map((line) => line.text)).toStrictEqual(['{"a":1}'])
  expect({ position, pendingBytes }).toStrictEqual({ position: 108, pendingBytes: 5 })
})

describe('a line that is longer than 1 MiB', () => {
  const CHUNKS = [1, 4095, 64 * 1024, MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 1, 2_000_000]

  test('1 MiB with its newline is a line, one byte more is not', () => {
    for (const cuts of [[], CHUNKS]) {
      const exact = Buffer.alloc(MAX_LINE_BYTES, 'a')
      exact[MAX_LINE_BYTES - 1] = 0x0a
      expect(scan(exact, cuts).found[0]?.text).toHaveLength(MAX_LINE_BYTES - 1)
      const over = Buffer.concat([Buffer.from('a'), exact])
      expect(scan(over, cuts)).toStrictEqual({
        found: [{ byteOffset: 0, length: MAX_LINE_BYTES + 1, text: null, recovered: [] }],
        position: MAX_LINE_BYTES + 1,
        pendingBytes: 0,
      })
    }
  })

  test('the events inside are found at their places, and the lines around it are read', () => {
    const [a, b, c] = [logLine('a'), logLine('b'), logLine('c')]
    const newline = Buffer.from('\n')
    const before = Buffer.from('first\n')
    const filler = Buffer.alloc(1_500_000, 'x')
    const bytes = Buffer.concat([before, a, filler, b, filler, c, newline, Buffer.from('last\npend')])
    const offsetOfB = before.length + a.length + filler.length
    const offsetOfC = offsetOfB + b.length + filler.length
    const expected: Found[] = [
      { byteOffset: 0, length: 6, text: 'first', recovered: [] },
      {
        byteOffset: 6,
        length: offsetOfC + c.length + 1 - 6,
        text: null,
        recovered: [
          [6, a.toString('latin1')],
          [offsetOfB, b.toString('latin1')],
          [offsetOfC, c.toString('latin1')],
        ],
      },
      { byteOffset: offsetOfC + c.length + 1, length: 5, text: 'last', recovered: [] },
    ]
    for (const cuts of [
      [],
      CHUNKS,
      [offsetOfB + 5, offsetOfC + 3],
      [...Array(12).keys()].map((i) => i * 262_144),
    ]) {
      expect(scan(bytes, cuts)).toStrictEqual({
        found: expected,
        position: bytes.length - 4,
        pendingBytes: 4,
      })
    }
  })

  test('while it is read it is pending, and its length is known', () => {
    const { found, position, pendingBytes } = scan(
      Buffer.alloc(3 * MAX_LINE_BYTES, 'x'),
      [5, MAX_LINE_BYTES],
      7,
    )
    expect({ found, position, pendingBytes }).toStrictEqual({
      found: [],
      position: 7,
      pendingBytes: 3 * MAX_LINE_BYTES,
    })
  })
})

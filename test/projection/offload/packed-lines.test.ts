import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JournalEvent } from '../../../src/events/event-types.js'
import { LinePacker } from '../../../src/projection/offload/line-packer.js'
import { LineUnpacker } from '../../../src/projection/offload/line-unpacker.js'
import { MAX_ROWS, newPackBuffer, TEXT_BYTES } from '../../../src/projection/offload/packed-lines.js'
import type { Place, RejectedLine } from '../../../src/store/sqlite/projection-tables.js'
import { anyEvent, completeLog, leastLog } from '../../events/support.js'

type Line = { event: JournalEvent; place: Place } | { rejected: RejectedLine }

const SEGMENT_ID = 20261122000

const anyLine: fc.Arbitrary<Line> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(anyEvent, fc.maxSafeNat())
      .map(([event, byteOffset]) => ({ event, place: { segmentId: SEGMENT_ID, byteOffset } })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.maxSafeNat(), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }))
      .map(([byteOffset, detail, excerpt]) => ({
        rejected: { segmentId: SEGMENT_ID, byteOffset, length: 7, reason: 'not_json', detail, excerpt },
      })),
  },
)

/** What comes out when each batch is packed, handed over, and unpacked; buffers are used again. */
function handOver(batches: Line[][]): Line[] {
  const packer = new LinePacker()
  const unpacker = new LineUnpacker()
  let buffer = newPackBuffer()
  const unpacked: Line[] = []
  for (const batch of batches) {
    packer.begin(buffer)
    for (const line of batch) {
      if ('event' in line) packer.apply(line.event, line.place)
      else packer.reject(line.rejected)
    }
    const packed = packer.end()
    const lines = structuredClone(packed, { transfer: [packed.buffer] })
    unpacker.learn(lines)
    unpacker.unpack(lines, SEGMENT_ID, {
      apply: (event, place) => unpacked.push({ event, place }),
      reject: (rejected) => unpacked.push({ rejected }),
    })
    buffer = lines.buffer
  }
  return unpacked
}

test('any lines come out as they went in, in their order', () => {
  fc.assert(
    fc.property(fc.array(fc.array(anyLine, { maxLength: 30 }), { maxLength: 4 }), (batches) => {
      expect(handOver(batches)).toStrictEqual(batches.flat())
    }),
  )
})

describe('what there is no room for goes beside it', () => {
  // Not completed: identifiers would be cut.
  const line = (fields: object, byteOffset: number): Line => ({
    event: { ...completeLog({ ...leastLog, correlation_id: 'a' }), ...fields },
    place: { segmentId: SEGMENT_ID, byteOffset },
  })

  test.for([
    ['more rows than a pack has', () => Array.from({ length: MAX_ROWS + 3 }, (_, i) => line({}, i))],
    [
      'texts longer than a pack',
      () => [
        line({}, 1),
        line({ correlation_id: 'x'.repeat(TEXT_BYTES) }, 2),
        line({ model: 'é'.repeat(TEXT_BYTES / 4) }, 3),
        line({ labels: { user: 'y'.repeat(TEXT_BYTES) } }, 4),
        line({}, 5),
      ],
    ],
    [
      'more names than are kept, and longer ones',
      () =>
        Array.from({ length: 20_000 }, (_, i) =>
          line({ provider: `p${i}`, policy: 'q'.repeat(i % 300), labels: { user: `u${i % 5000}` } }, i),
        ),
    ],
  ] as const)('%s', ([, make]) => {
    const lines: Line[] = make()
    const batches = Array.from({ length: Math.ceil(lines.length / MAX_ROWS) + 1 }, (_, i) =>
      lines.slice(i * (MAX_ROWS + 3), (i + 1) * (MAX_ROWS + 3)),
    )
    expect(handOver(batches)).toStrictEqual(lines)
    expect(handOver([...batches, ...batches])).toStrictEqual([...lines, ...lines])
  })

  test('a label named __proto__ is one like any other', () => {
    const labels = JSON.parse('{"__proto__":"x","constructor":"y"}')
    const lines = [line({ labels }, 1), line({ labels }, 2)]
    expect(handOver([lines])).toStrictEqual(lines)
    expect(JSON.stringify(handOver([lines])[1])).toContain('"__proto__":"x"')
  })
})

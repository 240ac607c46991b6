import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { ArchivedSegmentReader } from '../../../src/journal/read/archived-segment-reader.js'
import { openSegment } from '../../../src/journal/read/open-segment.js'
import { SegmentReader } from '../../../src/journal/read/segment-reader.js'
import { listSegments, segmentOf } from '../../../src/journal/segments.js'
import {
  DAY,
  log,
  NEXT_SEGMENT,
  opened,
  SEGMENT,
  segmentsOf,
  temporaryDirectory,
  textOf,
} from '../support.js'

/** More than a chunk, with a line over 1 MiB and a fragment at the end. */
const TEXT = [
  ...Array.from({ length: 5000 }, (_, i) => `{"line":${i}}`),
  'x'.repeat(1.5 * 1024 * 1024),
  ...Array.from({ length: 20_000 }, (_, i) => `{"line":${i},"text":"${'y'.repeat(i % 40)}"}`),
  '{"frag',
].join('\n')

interface Read {
  lines: [offset: number, length: number, text: string][]
  position: number
  crc32: number
  last: string
}

async function readAll(reader: SegmentReader | ArchivedSegmentReader): Promise<Read> {
  const lines: Read['lines'] = []
  try {
    for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) {
      for (const { byteOffset, length, bytes } of chunk.lines) {
        lines.push([byteOffset, length, String(bytes?.subarray(0, 20))])
      }
    }
    const [byteOffset = 0, length = 0] = lines.at(-1) ?? []
    const last = reader.bytesAt(byteOffset, length).toString()
    return { lines, position: reader.position, crc32: reader.positionCrc32, last }
  } finally {
    reader.close()
  }
}

/** Compared as texts: 25,000 lines are compared quickly, and a difference of them is nothing to look at. */
function expectSame(found: Read, expected: Read): void {
  const { lines, ...rest } = found
  const { lines: expectedLines, ...expectedRest } = expected
  expect(rest).toEqual(expectedRest)
  expect(JSON.stringify(lines) === JSON.stringify(expectedLines), 'the same lines').toBe(true)
}

describe('an archived segment', () => {
  const both = (text: string | Buffer) => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, SEGMENT), text)
    writeFileSync(join(directory, `${SEGMENT}.gz`), gzipSync(text))
    return directory
  }
  const name = segmentOf(DAY, 0)

  test('reads like the plain one', async () => {
    const directory = both(TEXT)
    const plain = await readAll(new SegmentReader(directory, name))
    expectSame(await readAll(new ArchivedSegmentReader(directory, name)), plain)
    expect(plain.lines).toHaveLength(25_001)
  })

  test('and from any position', async () => {
    const directory = both(TEXT)
    const { lines } = await readAll(new SegmentReader(directory, name))
    for (const [position] of [
      lines[1],
      lines[5000],
      lines[5001],
      lines[20_000],
      lines.at(-1),
    ] as Read['lines']) {
      const checksum = crc32(Buffer.from(TEXT).subarray(0, position))
      const plain = await readAll(new SegmentReader(directory, name, { position, positionCrc32: checksum }))
      const archived = new ArchivedSegmentReader(directory, name, { position, positionCrc32: checksum })
      expectSame(await readAll(archived), plain)
    }
  })

  test('of nothing is at its end', async () => {
    const read = await readAll(new ArchivedSegmentReader(both(''), name))
    expect(read).toEqual({ lines: [], position: 0, crc32: 0, last: '' })
  })

  test.for([
    ['other bytes before the position', 12, 1234, /its bytes differ before byte 12/],
    ['an end before the position', 1000, 1234, /it ends before byte 1000/],
  ] as const)('refuses %s', async ([, position, checksum, message]) => {
    const reader = new ArchivedSegmentReader(both('{"line":0}\n{"line":1}\n'), name, {
      position,
      positionCrc32: checksum,
    })
    await expect(readAll(reader)).rejects.toThrow(message)
  })

  test('that is cut or damaged is unreadable', async () => {
    const directory = both(TEXT)
    const path = join(directory, `${SEGMENT}.gz`)
    const whole = readFileSync(path)
    truncateSync(path, whole.length - 5)
    const unreadable = { code: 'SEGMENT_UNREADABLE', path }
    await expect(readAll(new ArchivedSegmentReader(directory, name))).rejects.toMatchObject(unreadable)
    whole[whole.length >> 1] = (whole[whole.length >> 1] ?? 0) ^ 1
    writeFileSync(path, whole)
    await expect(readAll(new ArchivedSegmentReader(directory, name))).rejects.toMatchObject(unreadable)
    writeFileSync(path, 'no gzip')
    await expect(readAll(new ArchivedSegmentReader(directory, name))).rejects.toMatchObject(unreadable)
  })

  test('is found wherever its file is by the time it is opened', async () => {
    const directory = both('{"line":0}\n')
    const [listed] = listSegments(directory)
    if (listed === undefined) throw new Error('no segment')
    const found = () => {
      const source = openSegment(directory, listed)
      source.close()
      return source.path.slice(directory.length + 1)
    }
    expect(found()).toBe(SEGMENT)
    renameSync(join(directory, SEGMENT), join(directory, `${SEGMENT}.gone`))
    expect(listSegments(directory)).toMatchObject([{ state: 'leaving' }])
    expect(found()).toBe(`${SEGMENT}.gone`)
    rmSync(join(directory, `${SEGMENT}.gone`))
    expect(found()).toBe(`${SEGMENT}.gz`)
    rmSync(join(directory, `${SEGMENT}.gz`))
    expect(found).toThrow(/ENOENT.*2026-11-22\.ndjson'/)
  })
})

describe('a writer whose segment is archived', () => {
  /** As `archive` does. */
  const leave = (directory: string) => {
    const path = join(directory, SEGMENT)
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)))
    renameSync(path, `${path}.gone`)
  }

  test('moves on without an alarm, and flush covers what it had written', async () => {
    const { journal, directory, clock, logger, faulty } = opened()
    journal.append(log('before'))
    leave(directory)
    journal.append(log('meanwhile'))
    await journal.flush()
    expect(faulty.callsOf('fdatasync', /2026-11-22\.ndjson$/)).toHaveLength(1)
    clock.advance(1000)
    journal.append(log('after'))
    await journal.flush()
    expect(logger.messages).toEqual([])
    expect(textOf(directory, `${SEGMENT}.gone`)).toContain('meanwhile')
    expect(textOf(directory, NEXT_SEGMENT)).toContain('after')
    expect(segmentsOf(directory)).not.toContain(SEGMENT)
  })

  test('while it was idle: the same', async () => {
    const { journal, directory, clock, logger } = opened()
    journal.append(log('before'))
    await journal.flush()
    leave(directory)
    rmSync(join(directory, `${SEGMENT}.gone`))
    clock.advance(60_000)
    journal.append(log('after'))
    await journal.flush()
    expect(logger.messages).toEqual([])
    expect(textOf(directory, NEXT_SEGMENT)).toContain('after')
  })

  test('and removed before it could notice: told as a loss', async () => {
    const { journal, directory, logger } = opened()
    journal.append(log('before'))
    await journal.flush()
    journal.append(log('meanwhile'))
    leave(directory)
    rmSync(join(directory, `${SEGMENT}.gone`))
    await expect(journal.flush()).rejects.toMatchObject({ code: 'SEGMENT_LOST' })
    expect(logger.messages).toHaveLength(1)
  })
})

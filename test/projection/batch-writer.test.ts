import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, vi } from 'vitest'
import { Sums } from '../../src/folds/sums/sums.js'
import { fileIdentity } from '../../src/journal/file-identity.js'
import { SegmentDecoder } from '../../src/journal/read/segment-decoder.js'
import { SegmentReader } from '../../src/journal/read/segment-reader.js'
import { parseSegmentName } from '../../src/journal/segments.js'
import { BatchWriter } from '../../src/projection/batch-writer.js'
import type { StoreTransaction } from '../../src/store/port.js'
import { emptyPosition, type SegmentPosition } from '../../src/store/positions.js'
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { test, type Workspace } from '../support/workspace.js'

const NEXT_DAY = '2026-11-23.ndjson'
const LINE = lines(requestLine('a'))

interface Given {
  store: SqliteStore
  /** Makes a writer that begins its transaction with the first line. */
  writer(maxBytes?: number): BatchWriter
  /** A segment that is read in chunks of one line, from a position on. */
  segment(name: string, before?: SegmentPosition): { decoder: SegmentDecoder; before: SegmentPosition }
}

async function withStore(workspace: Workspace, use: (given: Given) => Promise<void>): Promise<void> {
  const store = new SqliteStore(workspace.database, { purpose: 'project' })
  const readers: SegmentReader[] = []
  try {
    await use({
      store,
      writer: (maxBytes = Number.POSITIVE_INFINITY) =>
        new BatchWriter({
          transaction: () => store.begin('usual'),
          sums: new Sums([]),
          isBulk: false,
          maxBytes,
        }),
      segment: (name, before) => {
        const segment = parseSegmentName(name)
        if (segment === null) throw new Error(`${name} isn't a segment`)
        const { projectedBytes: position, projectedCrc32: positionCrc32 } = before ?? {}
        const chunkBytes = LINE.length
        const reader = new SegmentReader(workspace.journal, segment, { position, positionCrc32, chunkBytes })
        readers.push(reader)
        const decoder = new SegmentDecoder(reader, { journalId: 'test-journal' })
        const file = fileIdentity(reader.stats)
        return { decoder, before: before ?? emptyPosition(segment.id, name, 'test-journal', file) }
      },
    })
  } finally {
    for (const reader of readers) reader.close()
    store.close()
  }
}

describe('a batch writer', () => {
  test('moves the positions of several segments in one commit, and tells what it brought in from each', async ({
    workspace,
  }) => {
    writeSegment(workspace.journal, lines(requestLine('a'), 'garbage', requestLine('b')))
    writeSegment(workspace.journal, LINE, NEXT_DAY)
    await withStore(workspace, async ({ store, writer: newWriter, segment }) => {
      const writer = newWriter()
      for (const name of [DAY, NEXT_DAY]) {
        const { decoder, before } = segment(name)
        expect(await writer.writeSegment(decoder, before)).toBe(true)
      }
      expect(workspace.query('SELECT * FROM requests')).toEqual([])
      const sizes = [DAY, NEXT_DAY].map((name) => statSync(join(workspace.journal, name)).size)
      expect(await writer.commit()).toMatchObject([
        { bytes: sizes[0], counts: { requests: 2, rejected: 1 }, firstRejected: { reason: 'not_json' } },
        { bytes: sizes[1], counts: { requests: 1, rejected: 0 }, firstRejected: null },
      ])
      expect((await store.positions()).map(({ projectedBytes }) => projectedBytes)).toEqual(sizes)
    })
  })

  test('ends within a segment once it is full, and the next one goes on from there', async ({
    workspace,
  }) => {
    writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b'), requestLine('c')))
    await withStore(workspace, async ({ store, writer: newWriter, segment }) => {
      const writer = newWriter(LINE.length + 1)
      const first = segment(DAY)
      expect(await writer.writeSegment(first.decoder, first.before)).toBe(false)
      expect(writer.isFull).toBe(true)
      await writer.commit()
      const [position] = await store.positions()
      expect(position).toMatchObject({ projectedBytes: 2 * LINE.length, caughtUpAt: null })
      const next = newWriter()
      const rest = segment(DAY, position)
      expect(await next.writeSegment(rest.decoder, rest.before)).toBe(true)
      await next.commit()
      expect(await store.positions()).toMatchObject([
        { projectedBytes: 3 * LINE.length, caughtUpAt: expect.any(String), counts: { requests: 3 } },
      ])
    })
  })

  test('stops between two batches when it should', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
    await withStore(workspace, async ({ writer: newWriter, segment }) => {
      const writer = newWriter()
      const { decoder, before } = segment(DAY)
      const onBatch = vi.fn()
      const shouldStop = () => onBatch.mock.calls.length === 1
      expect(await writer.writeSegment(decoder, before, { shouldStop, onBatch })).toBe(false)
      expect(await writer.commit()).toMatchObject([{ counts: { requests: 1 } }])
    })
  })

  test('counts late lines', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a'), '', requestLine('b')))
    await withStore(workspace, async ({ writer: newWriter, segment }) => {
      const writer = newWriter()
      const { decoder, before } = segment(DAY)
      await writer.writeSegment(decoder, before, { isLate: true })
      expect(await writer.commit()).toMatchObject([{ counts: { lines: 2, late: 2 } }])
    })
  })

  test('begins no transaction for a segment without a whole line', async ({ workspace }) => {
    writeSegment(workspace.journal, '{"type":')
    await withStore(workspace, async ({ store, writer: newWriter, segment }) => {
      const begin = vi.spyOn(store, 'begin')
      const writer = newWriter()
      const { decoder, before } = segment(DAY)
      expect(await writer.writeSegment(decoder, before)).toBe(true)
      expect(await writer.commit()).toEqual([])
      expect(begin).not.toHaveBeenCalled()
    })
  })

  test('refuses a reader that stands elsewhere than the position, whose lines would get rows twice', async ({
    workspace,
  }) => {
    writeSegment(workspace.journal, LINE)
    await withStore(workspace, async ({ writer: newWriter, segment }) => {
      const { decoder, before } = segment(DAY)
      const writing = newWriter().writeSegment(decoder, { ...before, projectedBytes: LINE.length })
      await expect(writing).rejects.toThrow(
        `reading goes on at byte 0, but ${LINE.length} bytes were projected`,
      )
    })
  })

  test('refuses to keep bytes that are not those that it folded', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
    await withStore(workspace, async ({ store, segment }) => {
      const { decoder, before } = segment(DAY)
      const transaction: StoreTransaction = await store.begin('usual')
      transaction.addBytes = async () => {}
      const path = join(workspace.journal, DAY)
      const whole = readFileSync(path)
      const damage = () => {
        if (decoder.source.position === whole.length) writeFileSync(path, whole.fill('x', 20, 21))
      }
      const sums = new Sums([])
      const writer = new BatchWriter({ transaction, sums, isBulk: false, maxBytes: Number.POSITIVE_INFINITY })
      const writing = writer.writeSegment(decoder, before, { onBatch: damage })
      await expect(writing).rejects.toMatchObject({
        code: 'SEGMENT_REPLACED',
        message: expect.stringContaining('changed while they were being read'),
      })
      await writer.rollback()
      expect(await store.positions()).toEqual([])
    })
  })

  test('leaves neither rows nor positions when it is rolled back', async ({ workspace }) => {
    writeSegment(workspace.journal, LINE)
    await withStore(workspace, async ({ store, writer: newWriter, segment }) => {
      const writer = newWriter()
      const { decoder, before } = segment(DAY)
      await writer.writeSegment(decoder, before)
      await writer.rollback()
      expect(await store.positions()).toEqual([])
      expect(workspace.query('SELECT * FROM requests')).toEqual([])
    })
  })
})

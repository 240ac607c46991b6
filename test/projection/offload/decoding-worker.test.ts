import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, describe, expect } from 'vitest'
import { openSegment } from '../../../src/journal/read/open-segment.js'
import { listSegments, type Segment } from '../../../src/journal/segments.js'
import type { DecodedSegment } from '../../../src/projection/decoded-segment.js'
import { projectOnce } from '../../../src/projection/index.js'
import { DecodingWorker } from '../../../src/projection/offload/decoding-worker.js'
import { replayWith } from '../../../src/projection/replay.js'
import { SegmentDecoder } from '../../../src/projection/segment-decoder.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { test, type Workspace } from '../../support/workspace.js'

const workers: DecodingWorker[] = []
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.close()
})

const THREAD = fileURLToPath(new URL('../../../dist/projection/offload/decoder-thread.js', import.meta.url))

function newWorker(directory: string, thread: string | URL = THREAD): DecodingWorker {
  const worker = new DecodingWorker(directory, thread)
  workers.push(worker)
  return worker
}

function toOpen(directory: string, segment: Segment, from = { position: 0, positionCrc32: 0 }) {
  const options = { journalId: 'test-journal', prefixBytes: 100, isDigested: true, endsWhereItDid: false }
  return { directory, segment, ...from, ...options }
}

function onlySegment(directory: string): Segment {
  const [segment] = listSegments(directory)
  if (segment === undefined) throw new Error('no segment')
  return segment
}

/** All that is told of a segment when it is read to its end. */
async function readAll(decoded: DecodedSegment) {
  const told: unknown[] = []
  let bytes = 0
  let lineCount = 0
  const target = {
    apply: (event: unknown, place: unknown) => told.push({ event, place }),
    reject: (line: unknown) => told.push({ line }),
  }
  for (let part = await decoded.read(target); part !== null; part = await decoded.read(target)) {
    bytes += part.bytes
    lineCount += part.counts.lines
  }
  await decoded.sync()
  const { path, isArchive, file: identity, position, positionCrc32 } = decoded
  const file = { path, isArchive, identity, position, positionCrc32, lastLine: decoded.lastLine() }
  decoded.close()
  return { told, bytes, lineCount, file, digests: decoded.digests() }
}

async function readHere(directory: string, segment: Segment, from = { position: 0, positionCrc32: 0 }) {
  const options = toOpen(directory, segment, from)
  return await readAll(new SegmentDecoder(openSegment(directory, segment, from), segment, options))
}

const NOT_UTF8 = '{"model":"\xff"}'

const HOSTILE = fc.oneof(
  { weight: 8, arbitrary: fc.nat(50).map((i) => requestLine(`r${i}`, { labels: { user: `u${i}` } })) },
  { weight: 4, arbitrary: fc.nat(50).map((i) => completionLine(`r${i}`, { error_message: 'é\u{1f600}' })) },
  { weight: 1, arbitrary: fc.nat(60).map((cut) => requestLine('cut').slice(0, cut)) },
  { weight: 1, arbitrary: fc.constant(`${requestLine('fused')}${requestLine('fused too')}`) },
  { weight: 1, arbitrary: fc.constant(`garbage${requestLine('inside')}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      '  ',
      '{"model":"m","latency_ms":1,"success":true}',
      NOT_UTF8,
      '{,"crc32":"00000000"}',
    ),
  },
  { weight: 1, arbitrary: fc.constant(`${'x'.repeat(1_100_000)}${requestLine('beyond 1 MiB')}`) },
  { weight: 1, arbitrary: fc.constant(Array(300).fill(requestLine('one of many')).join('\n')) },
)

test('tells the same of a segment as this thread does, from any line on', async ({ workspace }) => {
  const { journal } = workspace
  const worker = newWorker(journal)
  await fc.assert(
    fc.asyncProperty(fc.array(HOSTILE, { maxLength: 60 }), fc.nat(), async (parts, nth) => {
      rmSync(journal, { recursive: true, force: true })
      const bytes = parts.map((part) => Buffer.from(`${part}\n`, part === NOT_UTF8 ? 'latin1' : 'utf8'))
      writeSegment(journal, Buffer.concat([...bytes, Buffer.from('unfinished')]))
      const segment = onlySegment(journal)
      const here = await readHere(journal, segment)
      expect(await readAll(await worker.open(toOpen(journal, segment)))).toStrictEqual(here)
      const text = readFileSync(join(journal, DAY))
      const starts = [0, ...[...text.keys()].filter((at) => text[at] === 0x0a).map((at) => at + 1)]
      const position = starts[nth % starts.length] ?? 0
      const from = { position, positionCrc32: 12345 }
      expect(await readAll(await worker.open(toOpen(journal, segment, from)))).toStrictEqual(
        await readHere(journal, segment, from),
      )
      writeFileSync(join(journal, `${DAY}.gz`), gzipSync(text))
      rmSync(join(journal, DAY))
      const archived = onlySegment(journal)
      expect(await readAll(await worker.open(toOpen(journal, archived)))).toStrictEqual(
        await readHere(journal, archived),
      )
    }),
    { numRuns: 20 },
  )
}, 120_000)

describe('a replay through it', () => {
  const tables = ['requests', 'token_ratio_sums', 'held_completions', 'rejected_lines', 'journal_segments']
  const contents = (workspace: Workspace) =>
    tables.map((table) =>
      workspace
        .query(`SELECT * FROM ${table} ORDER BY 1, 2`)
        .map((row) => ({ ...row, caught_up_at: null, device: null, inode: null })),
    )

  test('gives the same database', async ({ workspace }) => {
    for (const day of ['2026-11-20.ndjson', '2026-11-21.ndjson', '2026-11-22.ndjson', '2026-11-23.ndjson']) {
      const many = Array.from({ length: 3000 }, (_, i) =>
        requestLine(`${day}-${i}`, { policy: 'p', input_tokens: 3, output_tokens: i }),
      )
      writeSegment(
        workspace.journal,
        lines(completionLine(`${day}-1`), ...many, 'garbage', completionLine(`${day}-2`)),
        day,
      )
    }
    writeSegment(workspace.journal, '', '2026-11-24.ndjson')
    await projectOnce(workspace)
    const live = contents(workspace)
    const progress: number[] = []
    const onProgress = ({ events }: { events: number }) => progress.push(events)
    expect(await replayWith({ ...workspace, onProgress }, 0)).toMatchObject({
      projected: 12_008,
      rejected: 4,
    })
    expect(contents(workspace)).toEqual(live)
    expect(progress.at(-1)).toBe(12_008)
    const archive = join(workspace.journal, '2026-11-21.ndjson')
    writeFileSync(`${archive}.gz`, gzipSync(readFileSync(archive)))
    renameSync(archive, join(workspace.directory, 'away'))
    await replayWith(workspace, 0)
    expect(contents(workspace)).toEqual(live)
    renameSync(join(workspace.directory, 'away'), archive)
  })

  test.for([
    ['a segment that is a directory', (path: string) => mkdirSync(path), 'SEGMENT_UNREADABLE'],
    [
      'an archive that is damaged',
      (path: string) => writeFileSync(`${path}.gz`, 'no gzip'),
      'SEGMENT_UNREADABLE',
    ],
  ] as const)('says the same of %s, and changes nothing', async ([, damage, code], { workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    await projectOnce(workspace)
    damage(join(workspace.journal, '2026-11-23.ndjson'))
    const before = contents(workspace)
    const here = await replayWith(workspace).catch((error: unknown) => error)
    const there = await replayWith(workspace, 0).catch((error: unknown) => error)
    expect(here).toMatchObject({ name: 'JournalError', code })
    expect(there).toMatchObject({ name: 'JournalError', code, message: (here as Error).message })
    expect(contents(workspace)).toEqual(before)
    workspace.expectDamage()
  })

  test('finds bytes that are not those that were projected', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
    await projectOnce(workspace)
    const path = join(workspace.journal, DAY)
    writeFileSync(path, readFileSync(path, 'utf8').replace('gpt-4o', 'gpt-4x'))
    await expect(replayWith(workspace, 0)).rejects.toMatchObject({ code: 'SEGMENT_REPLACED', path })
    workspace.expectDamage()
  })
})

describe('a thread that ends', () => {
  const program = (text: string) => new URL(`data:text/javascript,${encodeURIComponent(text)}`)

  test.for([
    ['at once', 'process.exit(7)', /exit code 7/],
    ['with an error', 'throw new Error("what was this")', /what was this/],
    [
      'when it is asked to sync',
      `import { parentPort } from 'node:worker_threads'
       parentPort.on('message', ({ kind, id }) => {
         if (kind === 'open') parentPort.postMessage({ kind: 'opened', id, path: 'p', isArchive: false, file: { device: '1', inode: '1' } })
         else process.exit(8)
       })`,
      /exit code 8/,
    ],
  ] as const)('%s is an error, not a wait for ever', async ([, text, message], { workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    const worker = newWorker(workspace.journal, program(text))
    const read = async () => {
      const decoded = await worker.open(toOpen(workspace.journal, onlySegment(workspace.journal)))
      await decoded.sync()
    }
    await expect(read()).rejects.toMatchObject({ name: 'ProjectionError', code: 'DECODER_LOST' })
    await expect(read()).rejects.toThrow(message)
  })

  test('with a sync that fails says what the disk said', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    const failing = `import { parentPort } from 'node:worker_threads'
      parentPort.on('message', ({ kind, id }) => parentPort.postMessage(
        kind === 'open' ? { kind: 'opened', id, path: 'p', isArchive: false, file: { device: '1', inode: '1' } }
        : { kind: 'failed', id, error: { name: 'Error', message: 'EIO: i/o error, fdatasync', code: 'EIO', path: '', cause: null } }))`
    const worker = newWorker(workspace.journal, program(failing))
    const decoded = await worker.open(toOpen(workspace.journal, onlySegment(workspace.journal)))
    await expect(decoded.sync()).rejects.toMatchObject({ code: 'EIO', message: 'EIO: i/o error, fdatasync' })
  })
})

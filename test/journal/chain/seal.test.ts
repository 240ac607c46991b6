import { createHash } from 'node:crypto'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ManifestFile, readManifest } from '../../../src/journal/chain/manifest.js'
import { Sealer } from '../../../src/journal/chain/seal.js'
import { listSegments, type Segment } from '../../../src/journal/segments.js'

let directory: string
let now: number
let logged: string[]
let sealer: Sealer

const [FIRST, SECOND, THIRD] = ['2026-11-21.ndjson', '2026-11-21_001.ndjson', '2026-11-22.ndjson'] as const
const DUE = Date.parse('2026-11-22T00:10:00.000Z')

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'seal-'))
  writeFileSync(join(directory, 'journal.json'), '{}')
  now = DUE
  logged = []
  const log = (_fields: object, message: string) => logged.push(message)
  sealer = new Sealer(directory, { now: () => now }, { info: log, warn: log })
})

afterEach(() => {
  vi.restoreAllMocks()
  rmSync(directory, { recursive: true })
})

const write = (name: string, text: string | Buffer) => writeFileSync(join(directory, name), text)
const seal = () => sealer.seal(listSegments(directory))
const sealed = () => readManifest(directory).entries.map(({ segment }) => segment)

test('segments are sealed ten minutes after their day, in order, up to their last newline', async () => {
  write(FIRST, 'a\n\nbc\n{"frag')
  write(SECOND, '')
  write(THIRD, 'd\n')
  now = DUE - 1
  await seal()
  expect(readdirSync(directory)).not.toContain('manifest.jsonl')
  now = DUE
  await seal()
  const sha256 = createHash('sha256').update('a\n\nbc\n').digest('hex')
  expect(readManifest(directory).entries).toMatchObject([
    { kind: 'sealed', segment: FIRST, bytes: 6, lines: 3, sha256, at: '2026-11-22T00:10:00.000Z' },
    { kind: 'sealed', segment: SECOND, bytes: 0, lines: 0 },
  ])
  now += 86_400_000
  await seal()
  expect(sealed()).toEqual([FIRST, SECOND, THIRD])
})

test('a segment is sealed once: lines that come later are late, and change no entry', async () => {
  write(FIRST, 'a\n')
  await seal()
  const before = readFileSync(join(directory, 'manifest.jsonl'))
  appendFileSync(join(directory, FIRST), 'late\n')
  await seal()
  expect(readFileSync(join(directory, 'manifest.jsonl'))).toEqual(before)
})

test('two sealers at once seal each segment once', async () => {
  for (let day = 1; day < 10; day++) write(`2026-11-0${day}.ndjson`, `${day}\n`)
  const other = new Sealer(directory, { now: () => now }, { info() {}, warn() {} })
  await Promise.all([seal(), other.seal(listSegments(directory))])
  expect(sealed()).toEqual(listSegments(directory).map(({ name }) => name))
  expect(readManifest(directory).problems).toEqual([])
})

test('a segment that was compressed by hand is sealed by what it holds', async () => {
  write(`${FIRST}.gz`, gzipSync('a\nb\n'))
  await seal()
  expect(readManifest(directory).entries).toMatchObject([{ bytes: 4, lines: 2 }])
})

test('large segments are digested across chunks', async () => {
  const text = Buffer.concat(
    Array.from({ length: 50_000 }, (_, i) => Buffer.from(`${i} ${'x'.repeat(i % 50)}\n`)),
  )
  write(FIRST, text)
  await seal()
  expect(readManifest(directory).entries).toMatchObject([
    { bytes: text.length, lines: 50_000, sha256: createHash('sha256').update(text).digest('hex') },
  ])
})

test('an idle sealer looks once a minute, asks for the list then, and writes nothing', async () => {
  write(FIRST, 'a\n')
  write(THIRD, 'b\n')
  const segments = listSegments(directory)
  let asked = 0
  const look = async () => {
    sealer.startIfDue(() => {
      asked++
      return segments
    })
    await sealer.idle()
  }
  await look()
  expect(sealed()).toEqual([FIRST])
  const { mtimeMs } = statSync(join(directory, 'manifest.jsonl'))
  for (let second = 0; second < 600; second++) {
    now += 1000
    await look()
  }
  expect(asked).toBe(11)
  expect(statSync(join(directory, 'manifest.jsonl')).mtimeMs).toBe(mtimeMs)
  now = DUE + 86_400_000
  await look()
  expect(sealed()).toEqual([FIRST, THIRD])
})

test('a clock that steps back does not end the looking', async () => {
  const list: Segment[] = []
  let asked = 0
  const look = () =>
    sealer.startIfDue(() => {
      asked++
      return list
    })
  look()
  now -= 86_400_000
  await sealer.idle()
  look()
  expect(asked).toBe(2)
})

test('a journal that can’t be written is logged once, and nothing else happens', async () => {
  write(FIRST, 'a\n')
  const denied = Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' })
  const readOnly = new Sealer(
    directory,
    { now: () => now },
    { info: (_fields, message) => logged.push(message), warn: () => logged.push('warned') },
  )
  vi.spyOn(ManifestFile.prototype, 'checkWritable').mockImplementation(() => {
    throw denied
  })
  await readOnly.seal(listSegments(directory))
  await readOnly.seal(listSegments(directory))
  expect(logged).toEqual(["This user can't write to the journal: segments of past days aren't sealed"])
  expect(readdirSync(directory)).not.toContain('manifest.jsonl')
})

test('a manifest that somebody changed is logged, and not built on', async () => {
  write(FIRST, 'a\n')
  write('manifest.jsonl', '{"kind":"sealed"}\n')
  await seal()
  expect(logged).toEqual(["Segments of past days aren't sealed for now"])
})

test('a segment that can’t be read holds up only those after it', async () => {
  write(FIRST, 'a\n')
  write(SECOND, 'b\n')
  rmSync(join(directory, SECOND))
  const segments = [...listSegments(directory), { ...listSegments(directory)[0], name: SECOND } as Segment]
  await sealer.seal(segments)
  expect(sealed()).toEqual([FIRST])
  expect(logged).toEqual(['Sealed', "Segments of past days aren't sealed for now"])
})

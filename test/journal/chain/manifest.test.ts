import { createHash } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  ManifestFile,
  type NewManifestEntry,
  NO_ENTRY,
  readManifest,
} from '../../../src/journal/chain/manifest.js'
import { nodeFileSystem } from '../../../src/journal/file-system.js'

let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'manifest-'))
  path = join(directory, 'manifest.jsonl')
  writeFileSync(join(directory, 'journal.json'), '{}', { mode: 0o600 })
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

const sealed = (segment: string): NewManifestEntry => ({
  kind: 'sealed',
  segment,
  bytes: 10,
  lines: 1,
  sha256: 'a'.repeat(64),
})
const add = (segment: string, file = new ManifestFile(directory)) => file.append(() => sealed(segment), 0)
const segments = () => readManifest(directory).entries.map((entry) => entry.segment)

test('a manifest that doesn’t exist is empty', () => {
  expect(readManifest(directory)).toMatchObject({ entries: [], head: NO_ENTRY, problems: [] })
})

test('a manifest that is a directory is unreadable under a code of its own', () => {
  mkdirSync(path)
  const unreadable = expect.objectContaining({ name: 'JournalError', code: 'MANIFEST_UNREADABLE', path })
  expect(() => readManifest(directory)).toThrow(unreadable)
  expect(() => add('a.ndjson')).toThrow(unreadable)
})

test('a manifest that the disk refuses to read is unreadable, with the reason as its cause', () => {
  add('a.ndjson')
  const cause = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })
  const disk = {
    ...nodeFileSystem,
    readSync: () => {
      throw cause
    },
  }
  expect(() => readManifest(directory, disk)).toThrow(
    expect.objectContaining({ code: 'MANIFEST_UNREADABLE', path, cause }),
  )
})

test('an entry is a line that says what the README says, and the next names its hash', () => {
  add('a.ndjson')
  const second = add('b.ndjson')
  const [first = '', next = ''] = readFileSync(path, 'utf8').split('\n')
  const hash = createHash('sha256')
    .update(first.slice(0, first.indexOf(',"hash"')))
    .digest('hex')
  expect(JSON.parse(first)).toEqual({
    ...sealed('a.ndjson'),
    at: '1970-01-01T00:00:00.000Z',
    previous: NO_ENTRY,
    hash,
  })
  expect(JSON.parse(next)).toMatchObject({ previous: hash })
  expect(readManifest(directory).head).toBe(second?.hash)
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('nothing is added if makeEntry gives no entry', () => {
  expect(new ManifestFile(directory).append(() => null, 0)).toBeNull()
  expect(readManifest(directory).entries).toEqual([])
})

test('of two programs that add at once one loses, looks again and finds what was added', () => {
  const asked: number[] = []
  const loser = new ManifestFile(directory).append((manifest) => {
    asked.push(manifest.entries.length)
    if (manifest.entries.length === 0) add('winner.ndjson')
    return manifest.entries.length < 2 ? sealed('loser.ndjson') : null
  }, 0)
  expect(asked).toEqual([0, 1])
  expect(loser?.previous).toBe(readManifest(directory).entries[0]?.hash)
  expect(segments()).toEqual(['winner.ndjson', 'loser.ndjson'])
  expect(readManifest(directory).problems).toEqual([])
  expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(3)
})

test('a line cut at any byte is tolerated, and the next entry follows', () => {
  add('a.ndjson')
  const whole = readFileSync(path)
  const file = new ManifestFile(directory)
  add('b.ndjson')
  const last = readFileSync(path).subarray(whole.length)
  // Every fifth, and each of the last ones: there the entry is whole before its newline is.
  const lengths = Array.from({ length: last.length + 1 }, (_, length) => length)
  for (const length of lengths.filter((n) => n % 5 === 0 || n >= last.length - 5)) {
    writeFileSync(path, Buffer.concat([whole, last.subarray(0, length)]))
    const isWhole = length >= last.length - 1
    const before = isWhole ? ['a.ndjson', 'b.ndjson'] : ['a.ndjson']
    expect(segments()).toEqual(before)
    expect(file.read().entries).toHaveLength(before.length)
    add('c.ndjson')
    expect(segments()).toEqual([...before, 'c.ndjson'])
    expect(file.read()).toEqual(readManifest(directory))
    expect(readManifest(directory).problems).toEqual([])
  }
})

test('reading on gives the same as reading it all again', () => {
  const file = new ManifestFile(directory)
  for (const name of ['a', 'b', 'c']) {
    add(name)
    expect(file.read()).toEqual(readManifest(directory))
  }
  rmSync(path)
  expect(file.read().entries).toEqual([])
})

describe('what somebody changed is a problem, and nothing is built on it', () => {
  const CHANGES: [string, string, (lines: string[]) => string[]][] = [
    ['a figure', 'hash_mismatch', ([a = '', ...rest]) => [a.replace('"bytes":10', '"bytes":11'), ...rest]],
    ['an entry taken out', 'unknown_previous', ([, ...rest]) => rest],
    ['entries swapped', 'unknown_previous', ([a = '', b = '', c = '']) => [a, c, b]],
    [
      'a hash made unreadable',
      'not_an_entry',
      ([a = '', ...rest]) => [a.replace('"hash"', '"hush"'), ...rest],
    ],
    ['a line that is none', 'not_an_entry', (lines) => ['hello', ...lines]],
  ]
  test.each(CHANGES)('%s', (_name, reason, change) => {
    for (const name of ['a', 'b', 'c']) add(name)
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    writeFileSync(path, `${change(lines).join('\n')}\n`)
    expect(readManifest(directory).problems).toContainEqual(expect.objectContaining({ reason }))
    expect(() => add('d')).toThrow(/was changed: .*bring it back from a backup/)
  })

  test('any flipped bit, of which every 29th is tried', () => {
    for (const name of ['a', 'b', 'c']) add(name)
    const bytes = readFileSync(path)
    const { head } = readManifest(directory)
    for (let bit = 0; bit < bytes.length * 8; bit += 29) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      writeFileSync(path, flipped)
      const found = readManifest(directory)
      // The very last newline holds nothing; everything else is found, or shows in the head.
      if (bit >> 3 === bytes.length - 1) continue
      expect(found.problems.length > 0 || found.head !== head, `bit ${bit}`).toBe(true)
    }
  })
})

test('blank lines are ignored', () => {
  add('a')
  appendFileSync(path, '\n\n')
  add('b')
  expect(readManifest(directory)).toMatchObject({
    entries: [{ segment: 'a' }, { segment: 'b' }],
    problems: [],
  })
})

test('the manifest can be read by its owner, even when journal.json can’t be for a moment', () => {
  chmodSync(join(directory, 'journal.json'), 0o000)
  add('a.ndjson')
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

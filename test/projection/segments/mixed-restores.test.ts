import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect } from 'vitest'
import { readManifest } from '../../../src/journal/chain/manifest.js'
import { archiveWith } from '../../../src/maintenance/archive.js'
import { projectOnce, replay } from '../../../src/projection/index.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { runs } from '../../support/runs.js'
import { query, test, type Workspace } from '../../support/workspace.js'

const DAYS = ['2024-11-20.ndjson', '2024-11-21.ndjson', '2024-11-22.ndjson'] as const
const MOMENTS = 7
const AT_ONCE = { noticeMs: 1, onStep() {} }

/**
 * What may be in the place of a segment: a copy of some moment, or what somebody has made of the
 * newest one.
 */
const FORMS = [
  'copy',
  'copy',
  'newest',
  'newest',
  'plain',
  'compressed',
  'both',
  'cut',
  'altered',
  'gone',
] as const

const mixes = fc.record({
  manifest: fc.nat(MOMENTS - 1),
  database: fc.option(fc.nat(MOMENTS - 1)),
  segments: fc.tuple(
    ...DAYS.map(() =>
      fc.record({ form: fc.constantFrom(...FORMS), moment: fc.nat(MOMENTS - 1), isCompressed: fc.boolean() }),
    ),
  ),
})

/**
 * Copies a journal and its database at each moment. A second database's projector seals lines that
 * the first one hasn't read.
 *
 * @returns the copies' directories.
 */
async function moments({ directory, journal, database }: Workspace): Promise<string[]> {
  const other = { journal, database: join(directory, 'other.db') }
  const taken: string[] = []
  let events = 0
  const append = (name: string, count: number) => {
    for (let i = 0; i < count; i++) writeSegment(journal, lines(requestLine(`e${events++}`)), name)
  }
  const take = () => {
    const path = join(directory, `moment-${taken.length}`)
    cpSync(journal, join(path, 'journal'), { recursive: true })
    copyFileSync(database, join(path, 'requests.db'))
    taken.push(path)
  }
  append(DAYS[0], 2)
  await projectOnce({ journal, database })
  rmSync(join(journal, 'manifest.jsonl'))
  take()
  append(DAYS[0], 2)
  append(DAYS[1], 2)
  take()
  append(DAYS[1], 2)
  await projectOnce(other)
  take()
  await projectOnce({ journal, database })
  take()
  append(DAYS[2], 2)
  append(DAYS[0], 1)
  await projectOnce({ journal, database })
  take()
  await archiveWith({ journal, database }, AT_ONCE)
  take()
  append(DAYS[2], 2)
  await projectOnce({ journal, database })
  take()
  return taken
}

/** The bytes of a segment; null if there are none, or they can't be decompressed. */
function bytesIn(journal: string, name: string, isArchive = !existsSync(join(journal, name))): Buffer | null {
  try {
    return isArchive
      ? gunzipSync(readFileSync(join(journal, `${name}.gz`)))
      : readFileSync(join(journal, name))
  } catch {
    return null
  }
}

const idsIn = (bytes: Buffer | null): string[] => bytes?.toString().match(/"correlation_id":"\w+"/g) ?? []
const rowsOf = (database: string) =>
  query(database, 'SELECT correlation_id AS id FROM requests').map(({ id }) => `"correlation_id":"${id}"`)
const missingIn = (expected: Iterable<string>, found: Iterable<string>) => {
  const there = new Set(found)
  return [...expected].filter((id) => !there.has(id))
}

test('whatever mix of copies is put back, project and replay have every sealed and every projected line or say what is wrong, and archive removes none', async ({
  workspace,
}) => {
  workspace.expectDamage()
  const taken = await moments(workspace)
  const newest = join(taken.at(-1) ?? '', 'journal')
  const bytesOf = (name: string) => bytesIn(newest, name) ?? Buffer.alloc(0)
  const journal = join(workspace.directory, 'mixed')
  const database = join(workspace.directory, 'mixed.db')
  await fc.assert(
    fc.asyncProperty(mixes, async ({ manifest, segments, ...mix }) => {
      rmSync(journal, { recursive: true, force: true })
      mkdirSync(journal)
      const copy = (moment: number, file: string) => {
        const from = join(taken[moment] ?? '', 'journal', file)
        if (existsSync(from)) copyFileSync(from, join(journal, file))
      }
      copy(0, 'journal.json')
      copy(manifest, 'manifest.jsonl')
      for (const [index, { form, moment, isCompressed }] of segments.entries()) {
        const name = DAYS[index] ?? ''
        const [first = '', ...rest] = bytesOf(name).toString().split('\n')
        const altered = [requestLine(`x${index}`), ...rest].join('\n')
        const write = (text: string | Buffer, isArchive: boolean) =>
          writeFileSync(join(journal, isArchive ? `${name}.gz` : name), isArchive ? gzipSync(text) : text)
        if (form === 'copy' || form === 'newest') {
          for (const file of [name, `${name}.gz`]) copy(form === 'copy' ? moment : MOMENTS - 1, file)
        }
        if (form === 'plain' || form === 'compressed') write(bytesOf(name), form === 'compressed')
        if (form === 'both') {
          write(bytesIn(join(taken[moment] ?? '', 'journal'), name) ?? '', false)
          write(bytesOf(name), true)
        }
        if (form === 'cut') write(`${first}\n`, isCompressed)
        if (form === 'altered') write(altered, isCompressed)
      }
      const sealed = readManifest(journal).entries.flatMap(({ segment, bytes }) =>
        idsIn(bytesOf(segment).subarray(0, bytes)),
      )
      for (const run of [projectOnce, replay]) {
        for (const ending of ['', '-wal', '-shm']) rmSync(`${database}${ending}`, { force: true })
        if (mix.database !== null) copyFileSync(join(taken[mix.database] ?? '', 'requests.db'), database)
        const projected = mix.database === null ? [] : rowsOf(database)
        const isDone = await run({ journal, database }).then(
          () => true,
          () => false,
        )
        if (!isDone) continue
        const rows = rowsOf(database)
        expect(missingIn([...sealed, ...projected], rows)).toEqual([])
        expect(new Set(rows).size).toBe(rows.length)
      }
      const inFiles = () =>
        DAYS.flatMap((name) => [false, true].flatMap((it) => idsIn(bytesIn(journal, name, it))))
      const before = inFiles()
      await archiveWith({ journal, database }, AT_ONCE).catch(() => {})
      expect(missingIn(before, inFiles())).toEqual([])
      expect(readdirSync(journal).filter((file) => file.endsWith('.tmp'))).toEqual([])
    }),
    runs(20),
  )
})

import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { beforeAll, beforeEach, describe, expect } from 'vitest'
import { utcDay } from '../../../src/journal/segments.js'
import { restore, verify } from '../../../src/maintenance/index.js'
import { projectOnce, replay, startProjector } from '../../../src/projection/index.js'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { ask, findFleetDifferences, withAsk } from '../../support/fleet-checker.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { test } from '../../support/workspace.js'

const schema = `restore_${randomUUID().replaceAll('-', '')}`
const journalId = 'test-journal'
/** Where a segment is cut off. */
const CUT_BYTES = lines(requestLine('old0')).length
let address = ''

/** Every file of a journal: name, permissions, bytes. */
function filesOf(journal: string): Record<string, [mode: number, text: string]> {
  const names = readdirSync(journal).sort()
  return Object.fromEntries(
    names.map((name) => {
      const path = join(journal, name)
      return [name, [statSync(path).mode, readFileSync(path, 'latin1')]]
    }),
  )
}

/** A journal of two closed days and an open one, with foreign and broken lines, and a line of 2 MB. */
function writeJournal(journal: string): void {
  const many = Array.from({ length: 1500 }, (_, n) => requestLine(`a${n}`))
  writeSegment(journal, lines(...many), '2026-11-20.ndjson')
  writeSegment(
    journal,
    lines(requestLine('b'), 'broken', '', `{"x":"${'é'.repeat(1_000_000)}"}`),
    '2026-11-21.ndjson',
  )
  writeSegment(journal, lines(requestLine('c'), requestLine('d')))
  for (const name of readdirSync(journal)) chmodSync(join(journal, name), 0o640)
}

describe.skipIf(noPostgres !== null)(`restore${noPostgres === null ? '' : ` (${noPostgres})`}`, () => {
  beforeAll(async () => {
    if (noPostgres !== null) return
    address = await sharedPostgres()
    await migratePostgres(postgresAddress(address), schema, { monthsAhead: 1 })
  })

  beforeEach(async () => {
    if (noPostgres !== null) return
    await ask(
      address,
      `DO $$ DECLARE name TEXT; BEGIN FOR name IN SELECT quote_ident(relname) FROM pg_class
         WHERE relnamespace = '${schema}'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
           AND relname NOT IN ('schema_migrations', 'rollup_labels', 'journals')
         LOOP EXECUTE 'DELETE FROM ${schema}.' || name; END LOOP; DELETE FROM ${schema}.journals; END $$`,
    )
  })

  test('gives every file back, byte for byte, and projecting goes on', async ({ workspace }) => {
    const { journal, directory } = workspace
    writeJournal(journal)
    await projectOnce({ journal, database: address, schema })
    await projectOnce(workspace)
    const before = filesOf(journal)
    expect(Object.keys(before)).toContain('manifest.jsonl')
    rmSync(journal, { recursive: true })

    const result = await restore({ journal, database: address, schema, journalId })
    expect(result).toMatchObject({ journal_id: journalId, segments: 3 })
    expect(filesOf(journal)).toEqual(before)
    expect(readdirSync(directory).filter((name) => name.includes('restoring'))).toEqual([])
    expect(await verify(workspace)).toMatchObject({ ok: true })

    appendFileSync(join(journal, '2026-11-22.ndjson'), lines(requestLine('e')))
    expect((await projectOnce({ journal, database: address, schema })).projected).toBe(1)
    const [rows] = await ask(address, `SELECT count(*)::int AS n FROM ${schema}.requests`)
    expect(rows).toEqual({ n: 1504 })
    await projectOnce(workspace)
  })

  test('gives back what a following projector committed a few lines at a time', async ({ workspace }) => {
    const { journal } = workspace
    // Chunks are joined every 64 commits.
    const COUNT = 2 * 64 + 3
    writeSegment(journal, '')
    for (const name of readdirSync(journal)) chmodSync(join(journal, name), 0o640)
    const projector = await startProjector({ journal, database: address, schema })
    await withAsk(address, async (ask) => {
      const sql = `SELECT count(*)::int AS n FROM ${schema}.requests`
      for (let n = 0; n < COUNT; n++) {
        writeSegment(journal, lines(requestLine(`r${n}`)))
        while ((await ask(sql))[0]?.['n'] !== n + 1) await setImmediate()
      }
    })
    await projector.stop()
    const before = filesOf(journal)
    const [chunks] = await ask(address, `SELECT count(*)::int AS n FROM ${schema}.journal_chunks`)
    expect(chunks?.['n']).toBe(2 + (COUNT % 64))
    expect(await findFleetDifferences({ address, schema, journal })).toEqual([])
    rmSync(journal, { recursive: true })
    mkdirSync(journal, { mode: 0o770 })
    const { mode } = statSync(journal)
    await restore({ journal, database: address, schema, journalId })
    expect(filesOf(journal)).toEqual(before)
    expect(statSync(journal).mode).toBe(mode)
  })

  test('a replay writes the chunks of a journal that was projected without them', async ({ workspace }) => {
    const { journal } = workspace
    writeJournal(journal)
    await projectOnce({ journal, database: address, schema, chunks: false })
    const [none] = await ask(address, `SELECT count(*)::int AS n FROM ${schema}.journal_chunks`)
    expect(none).toEqual({ n: 0 })
    const target = `${journal}.restored`
    const asked = { journal: target, database: address, schema, journalId }
    await expect(restore(asked)).rejects.toMatchObject({ code: 'CHUNKS_MISSING' })
    expect(existsSync(target)).toBe(false)
    for (let time = 0; time < 2; time++) await replay({ journal, database: address, schema })
    await restore(asked)
    expect(filesOf(target)).toEqual(filesOf(journal))
  })

  test('a chunk that isn’t gzip is missing, and the error names its bytes', async ({ workspace }) => {
    const { journal } = workspace
    writeJournal(journal)
    await projectOnce({ journal, database: address, schema })
    await ask(address, `UPDATE ${schema}.journal_chunks SET bytes = 'damaged' WHERE segment_id = 20261121000`)
    const target = `${journal}.restored`
    const restored = restore({ journal: target, database: address, schema, journalId })
    await expect(restored).rejects.toMatchObject({
      code: 'CHUNKS_MISSING',
      message: expect.stringMatching(/2026-11-21\.ndjson lacks the bytes from 0\b.*or a chunk is damaged/),
    })
    expect(existsSync(target)).toBe(false)
  })

  test('a chunk that holds other bytes than were projected isn’t given back', async ({ workspace }) => {
    const { journal } = workspace
    writeJournal(journal)
    await projectOnce({ journal, database: address, schema })
    const other = readFileSync(join(journal, '2026-11-22.ndjson'), 'latin1').replace('"c"', '"e"')
    const gzip = gzipSync(Buffer.from(other, 'latin1')).toString('hex')
    await ask(
      address,
      `UPDATE ${schema}.journal_chunks SET bytes = '\\x${gzip}' WHERE segment_id = 20261122000`,
    )
    const target = `${journal}.restored`
    const restored = restore({ journal: target, database: address, schema, journalId })
    await expect(restored).rejects.toMatchObject({
      code: 'CHUNKS_MISSING',
      message: expect.stringContaining("the bytes of 2026-11-22.ndjson aren't those that"),
    })
    expect(existsSync(target)).toBe(false)
  })

  test.for([
    { damage: 'cut off', code: 'SEGMENT_TRUNCATED', write: (path: string) => truncateSync(path, 5000) },
    {
      damage: 'altered, and longer since',
      code: 'SEGMENT_REPLACED',
      write: (path: string) => {
        const text = readFileSync(path, 'utf8')
        writeFileSync(path, `${text.replace('"latency_ms"', '"latency_sm"')}${text.split('\n')[0]}\n`)
      },
    },
  ])(
    'a replay leaves the only copy of a segment that was $damage',
    async ({ code, write }, { workspace }) => {
      const { journal } = workspace
      writeJournal(journal)
      await projectOnce({ journal, database: address, schema })
      const before = filesOf(journal)
      write(join(journal, '2026-11-20.ndjson'))
      const asked = { journal, database: address, schema, allowMissing: true }
      await expect(replay(asked)).rejects.toMatchObject({ code })
      const target = `${journal}.restored`
      await restore({ journal: target, database: address, schema, journalId })
      expect(filesOf(target)).toEqual(before)
      const bytes = `SELECT sum(length)::int AS n FROM ${schema}.journal_chunks`
      const kept = await ask(address, bytes)
      await replay({ ...asked, chunks: false })
      expect(await ask(address, bytes)).toEqual(kept)
    },
  )

  test.for([
    { loss: 'is gone', lose: (path: string) => rmSync(path), chunks: true },
    { loss: 'is empty', lose: (path: string) => truncateSync(path, 0), chunks: true },
    { loss: 'was cut off', lose: (path: string) => truncateSync(path, CUT_BYTES), chunks: false },
  ])(
    'the only copy of a segment that $loss stays, though others write under its name',
    async ({ lose, chunks }, { workspace }) => {
      const { journal } = workspace
      const name = `${utcDay(Date.now())}.ndjson`
      const path = join(journal, name)
      const store = { journal, database: address, schema }
      // Lines of other lengths have other offsets, so that a copy of both couldn't be restored.
      const write = async (prefix: string) => {
        for (let n = 0; n < 4; n++) {
          writeSegment(journal, lines(requestLine(`${prefix}${n}`)), name)
          await projectOnce(store)
        }
      }
      await write('old')
      const old = readFileSync(path)
      lose(path)
      await replay({ ...store, allowMissing: true, chunks })
      await write('newer')
      // Twice, since a segment that has a position again is replayed in another way.
      for (let time = 0; time < 2; time++) await replay(store)
      await write('newest')

      const target = `${journal}.restored`
      await restore({ journal: target, database: address, schema, journalId })
      expect(readFileSync(join(target, name))).toEqual(readFileSync(path))
      const kept = await ask(
        address,
        `SELECT bytes FROM ${schema}.journal_chunks WHERE segment_id > 1000000000000 ORDER BY byte_offset`,
      )
      expect(gunzipSync(Buffer.concat(kept.map(({ bytes }) => bytes as Buffer)))).toEqual(old)
    },
  )

  test('a replay that leaves lines out keeps the rest of a segment that no copy was kept of', async ({
    workspace,
  }) => {
    const { journal } = workspace
    const store = { journal, database: address, schema }
    writeJournal(journal)
    await projectOnce({ ...store, chunks: false })
    truncateSync(join(journal, '2026-11-20.ndjson'), lines(requestLine('a0')).length)
    await replay({ ...store, allowMissing: true })
    const target = `${journal}.restored`
    await restore({ journal: target, database: address, schema, journalId })
    expect(filesOf(target)).toEqual(filesOf(journal))
  })

  test('the manifest that a damaged one replaces is kept beside it, and not restored', async ({
    workspace,
  }) => {
    const { journal } = workspace
    const path = join(journal, 'manifest.jsonl')
    const store = { journal, database: address, schema }
    writeJournal(journal)
    await projectOnce(store)
    const manifest = readFileSync(path)
    truncateSync(path, manifest.length - 100)
    await projectOnce(store)
    const target = `${journal}.restored`
    await restore({ journal: target, database: address, schema, journalId })
    expect(filesOf(target)).toEqual(filesOf(journal))
    const asked = `SELECT bytes FROM ${schema}.journal_files WHERE name LIKE 'manifest.jsonl.2%' ORDER BY name`
    expect(await ask(address, asked)).toEqual([{ bytes: manifest }])
    // One that continues what is stored takes its place.
    writeSegment(journal, lines(requestLine('e')), '2026-11-23.ndjson')
    await projectOnce(store)
    expect(readFileSync(path).length).toBeGreaterThan(manifest.length)
    expect(await ask(address, asked)).toEqual([{ bytes: manifest }])
  })

  test('the directory is as open as its files', async ({ workspace }) => {
    const { journal } = workspace
    for (const [fileMode, directoryMode] of [
      [0o600, 0o700],
      [0o640, 0o750],
    ] as const) {
      const each = `${journal}.${fileMode}`
      const id = `journal-${fileMode}`
      writeSegment(each, lines(requestLine('a')), undefined, id)
      chmodSync(join(each, 'journal.json'), fileMode)
      await projectOnce({ journal: each, database: address, schema })
      await restore({ journal: `${each}.restored`, database: address, schema, journalId: id })
      expect(statSync(`${each}.restored`).mode & 0o777).toBe(directoryMode)
    }
  })

  test('the chunks of an archive are the bytes of its plain file', async ({ workspace }) => {
    const { journal } = workspace
    writeJournal(journal)
    const plain = filesOf(journal)
    execFileSync('gzip', [join(journal, '2026-11-20.ndjson'), join(journal, '2026-11-21.ndjson')])
    await projectOnce({ journal, database: address, schema })
    const target = `${journal}.restored`
    await restore({ journal: target, database: address, schema, journalId })
    expect(filesOf(target)).toMatchObject(plain)
  })

  test('writes nothing over a journal, nor of one that is unknown, damaged or projected elsewhere', async ({
    workspace,
  }) => {
    const { journal } = workspace
    writeJournal(journal)
    await projectOnce({ journal, database: address, schema })
    const before = filesOf(journal)
    const asked = { journal, database: address, schema, journalId }
    await expect(restore(asked)).rejects.toMatchObject({ code: 'JOURNAL_EXISTS' })
    expect(filesOf(journal)).toEqual(before)

    const target = `${journal}.restored`
    await expect(restore({ ...asked, journal: target, journalId: 'x' })).rejects.toMatchObject({
      code: 'JOURNAL_UNKNOWN',
    })
    const projector = await startProjector({ journal, database: address, schema })
    await expect(restore({ ...asked, journal: target })).rejects.toMatchObject({ code: 'PROJECTOR_RUNNING' })
    await projector.stop()
    await ask(
      address,
      `DELETE FROM ${schema}.journal_chunks WHERE segment_id = 20261121000 AND byte_offset > 0`,
    )
    await expect(restore({ ...asked, journal: target })).rejects.toThrow(
      /2026-11-21.ndjson lacks the bytes from \d+/,
    )
    expect(existsSync(target)).toBe(false)
  })
})

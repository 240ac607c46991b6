import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, onTestFinished } from 'vitest'
import { archiveWith } from '../../../src/maintenance/archive.js'
import { restore, ship, verify } from '../../../src/maintenance/index.js'
import { ObjectStore } from '../../../src/maintenance/objects/s3-store.js'
import { shipTo } from '../../../src/maintenance/ship/ship.js'
import { projectOnce } from '../../../src/projection/index.js'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { runHere } from '../../support/command.js'
import { ask } from '../../support/fleet-checker.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { S3Server } from '../../support/s3-server.js'
import { test, type Workspace } from '../../support/workspace.js'

const FIRST = '2026-11-20.ndjson'
const SECOND = '2026-11-21.ndjson'
const OPEN = '2099-01-01.ndjson'
const from = 's3://logs/fleet'

/** A journal of two sealed segments, which are shipped in small parts, and an open one. */
async function shippedJournal({ journal, database }: Workspace, journalId: string): Promise<void> {
  const many = Array.from({ length: 3000 }, (_, n) => requestLine(`a${n}`))
  writeSegment(journal, lines(...many), FIRST, journalId)
  writeSegment(journal, lines(requestLine('b'), 'broken', ''), SECOND)
  writeSegment(journal, lines(requestLine('c')), OPEN)
  await projectOnce({ journal, database })
  const store = await ObjectStore.open(from)
  onTestFinished(() => store.close())
  await shipTo(store, { journal, to: from }, 200_000)
}

function filesOf(journal: string): Record<string, [mode: number, text: string]> {
  return Object.fromEntries(
    readdirSync(journal).map((name) => {
      const path = join(journal, name)
      const mode = name.endsWith('.ndjson') ? 0 : statSync(path).mode
      return [name, [mode, readFileSync(path, 'latin1')]]
    }),
  )
}

function keysOf(server: S3Server, name: string): string[] {
  return [...server.objects.keys()].filter((key) => key.includes(`/${name}/`)).sort()
}

describe('restore from an object store', () => {
  test('gives back the segments of days that are over, and projecting goes on', async ({ workspace }) => {
    await S3Server.start()
    await shippedJournal(workspace, 'host-1')
    const journal = `${workspace.journal}.restored`
    expect(await restore({ journal, from, journalId: 'host-1' })).toMatchObject({ segments: 2, missing: [] })
    const { [OPEN]: open, ...sealed } = filesOf(workspace.journal)
    expect(open).toBeDefined()
    expect(filesOf(journal)).toEqual(sealed)
    const database = `${workspace.database}.restored`
    writeSegment(journal, lines(requestLine('d')), OPEN)
    await projectOnce({ journal, database })
    expect(await verify({ journal, database })).toMatchObject({ ok: true })
    expect(await ship({ journal, to: from })).toMatchObject({ shipped: [], held: 2 })
  })

  test('says which segments are nowhere, and refuses those of which only a part is there', async ({
    workspace,
  }) => {
    const server = await S3Server.start()
    await shippedJournal(workspace, 'host-1')
    const journal = `${workspace.journal}.restored`
    const args = ['restore', '--from', from, '--journal-id', 'host-1', '--journal', journal]
    const [first = '', second = '', third = ''] = keysOf(server, FIRST)
    const offsetOf = (key: string) => Number(/(\d+)\.gz$/.exec(key)?.[1])
    const part = server.objects.get(second)
    server.objects.delete(second)
    const refused = await runHere(args)
    expect(refused.status).toBe(1)
    expect(refused.stderr).toContain(
      `in ${from} ${FIRST} lacks the bytes from ${offsetOf(second)} on; objects were removed`,
    )
    expect(existsSync(journal)).toBe(false)

    server.objects.set(second, part ?? { bytes: Buffer.alloc(0), metadata: {} })
    for (const key of [third, ...keysOf(server, SECOND)]) server.objects.delete(key)
    expect([...server.objects.keys()]).toContain(first)
    const restored = await runHere(args, { REQUEST_JOURNAL_DB: workspace.database })
    expect(restored).toMatchObject({ status: 1, stderr: '' })
    expect(restored.stdout).toContain(
      `${FIRST} was sealed, but is in none of them from byte ${offsetOf(third)} on`,
    )
    expect(restored.stdout).toContain(`${SECOND} was sealed, but is in none of them from byte 0 on`)
    const [, text = ''] = filesOf(journal)[FIRST] ?? []
    expect(text).toBe(filesOf(workspace.journal)[FIRST]?.[1].slice(0, offsetOf(third)))
  })

  test('gives back empty segments too, since the manifest names them', async ({ workspace }) => {
    await S3Server.start()
    writeSegment(workspace.journal, '', FIRST)
    writeSegment(workspace.journal, lines(requestLine('a')), SECOND)
    await projectOnce(workspace)
    await ship({ journal: workspace.journal, to: from })
    const [journal, database] = [`${workspace.journal}.restored`, `${workspace.database}.restored`]
    const restored = await restore({ journal, from, journalId: 'test-journal' })
    expect(restored).toMatchObject({ segments: 2, missing: [] })
    expect(await projectOnce({ journal, database })).toMatchObject({ projected: 1 })
    expect(await verify({ journal, database })).toMatchObject({ ok: true })
  })

  test('names late lines that were archived but not shipped', async ({ workspace }) => {
    const server = await S3Server.start()
    await shippedJournal(workspace, 'host-1')
    const { journal } = workspace
    const { size } = statSync(join(journal, FIRST))
    writeSegment(journal, lines(requestLine('late')), FIRST)
    await projectOnce(workspace)
    await archiveWith(workspace, { noticeMs: 1, onStep() {} })
    await ship({ journal, to: from })
    const last = keysOf(server, FIRST).at(-1) ?? ''
    expect(last).toContain(String(size))
    server.objects.delete(last)
    const restored = await restore({ journal: `${journal}.restored`, from, journalId: 'host-1' })
    expect(restored).toMatchObject({ segments: 2, missing: [{ segment: FIRST, from: size }] })
  })

  test('refuses an object whose bytes are not those that were sent, and an unknown journal', async ({
    workspace,
  }) => {
    const server = await S3Server.start()
    await shippedJournal(workspace, 'host-1')
    const journal = `${workspace.journal}.restored`
    const [key = ''] = keysOf(server, FIRST)
    const metadata = server.objects.get(key)?.metadata ?? {}
    for (const bytes of [gzipSync('x\n'), Buffer.from('x')]) {
      server.objects.set(key, { bytes, metadata })
      await expect(restore({ journal, from, journalId: 'host-1' })).rejects.toMatchObject({
        code: 'OBJECT_DIFFERS',
        address: `s3://logs/${key}`,
      })
    }
    await expect(restore({ journal, from, journalId: 'host-2' })).rejects.toMatchObject({
      code: 'JOURNAL_UNKNOWN',
    })
    expect(existsSync(journal)).toBe(false)
    expect(await runHere(['restore', '--journal-id', 'host-1', '--journal', journal])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("'--from <address>' or both, found neither"),
    })
  })
})

describe.skipIf(noPostgres !== null)(
  `restore from both${noPostgres === null ? '' : ` (${noPostgres})`}`,
  () => {
    const schema = `shipped_${randomUUID().replaceAll('-', '')}`
    let address = ''

    beforeAll(async () => {
      if (noPostgres !== null) return
      address = await sharedPostgres()
      await migratePostgres(postgresAddress(address), schema, { monthsAhead: 1 })
    })

    test('takes from each what the other lacks, and says what neither has', async ({ workspace }) => {
      const server = await S3Server.start()
      const journalId = randomUUID()
      // The database has a chunk of each half, and the store parts that are smaller than those.
      const half = lines(...Array.from({ length: 1500 }, (_, n) => requestLine(`z${n}`)))
      writeSegment(workspace.journal, half, FIRST, journalId)
      await projectOnce({ journal: workspace.journal, database: address, schema })
      await shippedJournal(workspace, journalId)
      await projectOnce({ journal: workspace.journal, database: address, schema })
      const before = filesOf(workspace.journal)
      const both = { database: address, schema, from, journalId }
      const journal = `${workspace.journal}.restored`
      const without = async (where: string) =>
        await ask(address, `DELETE FROM ${schema}.journal_chunks WHERE segment_id = 20261120000 AND ${where}`)

      // The beginning is in the store alone, the rest in the database alone.
      const [, second = '', ...later] = keysOf(server, FIRST)
      for (const key of later) server.objects.delete(key)
      await without('byte_offset = 0')
      expect(await restore({ ...both, journal })).toMatchObject({ segments: 3, missing: [] })
      expect(filesOf(journal)).toEqual(before)

      // Something between is nowhere.
      server.objects.delete(second)
      const neither = restore({ ...both, journal: `${journal}.again` })
      await expect(neither).rejects.toThrow(
        `neither ${address} nor ${from} has all of it: ${FIRST} lacks the bytes from`,
      )
      await expect(neither).rejects.toMatchObject({ code: 'CHUNKS_MISSING' })
      expect(existsSync(`${journal}.again`)).toBe(false)
    })
  },
)

import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, onTestFinished } from 'vitest'
import { archiveWith } from '../../../src/maintenance/archive.js'
import { prune, ship } from '../../../src/maintenance/index.js'
import { ObjectStore } from '../../../src/maintenance/objects/s3-store.js'
import { shipTo } from '../../../src/maintenance/ship/ship.js'
import { projectOnce } from '../../../src/projection/index.js'
import { runHere } from '../../support/command.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { S3Server } from '../../support/s3-server.js'
import { test, type Workspace } from '../../support/workspace.js'

const ID = 'test-journal'
const FIRST = '2026-11-20.ndjson'
const SECOND = '2026-11-21.ndjson'
const OPEN = '2099-01-01.ndjson'
/** Small enough that a segment has many parts, and smaller than some lines. */
const PART_BYTES = 2000

/** A journal of two sealed segments and an open one. */
async function sealedJournal({ journal, database }: Workspace): Promise<void> {
  writeSegment(journal, lines(...Array.from({ length: 60 }, (_, n) => requestLine(`a${n}`))), FIRST)
  writeSegment(journal, lines(requestLine('b'), `{"x":"${'é'.repeat(3000)}"}`, '', requestLine('c')), SECOND)
  writeSegment(journal, lines(requestLine('open')), OPEN)
  await projectOnce({ journal, database })
}

async function storeOf(): Promise<ObjectStore> {
  const store = await ObjectStore.open('s3://logs/fleet')
  onTestFinished(() => store.close())
  return store
}

/** The file whose parts the server has, and the offsets in their names. */
function stored(server: S3Server, name: string): { text: string; offsets: number[] } {
  const beginning = `fleet/${ID}/${name}/`
  const keys = [...server.objects.keys()].filter((key) => key.startsWith(beginning)).sort()
  return {
    text: keys.map((key) => gunzipSync(server.objects.get(key)?.bytes ?? '').toString('latin1')).join(''),
    offsets: keys.map((key) => Number(/(\d{16})\.gz$/.exec(key)?.[1])),
  }
}

function local({ journal }: Workspace, name: string): string {
  return readFileSync(join(journal, name), 'latin1')
}

function puts(server: S3Server): number {
  return server.requests.filter((request) => request.startsWith('PUT')).length
}

describe('ship', () => {
  test('sends sealed segments, journal.json and the manifest, and nothing a second time', async ({
    workspace,
  }) => {
    const server = await S3Server.start()
    await sealedJournal(workspace)
    const { journal } = workspace
    expect(await ship({ journal, to: 's3://logs/fleet' })).toEqual({
      journal_id: ID,
      to: `s3://logs/fleet/${ID}/`,
      shipped: [FIRST, SECOND].map((segment) => ({ segment, bytes: local(workspace, segment).length })),
      held: 0,
      skipped: [{ segment: OPEN, reason: 'not_sealed' }],
    })
    for (const name of [FIRST, SECOND, 'journal.json', 'manifest.jsonl']) {
      expect(stored(server, name)).toEqual({ text: local(workspace, name), offsets: [0] })
    }
    expect(server.objects.size).toBe(4)
    const before = puts(server)
    expect(await ship({ journal, to: 's3://logs/fleet' })).toMatchObject({ shipped: [], held: 2 })
    expect(puts(server)).toBe(before)
  })

  test('cuts parts at newlines, and sends again only those that lack', async ({ workspace }) => {
    const server = await S3Server.start()
    await sealedJournal(workspace)
    const store = await storeOf()
    await shipTo(store, { journal: workspace.journal, to: '' }, PART_BYTES)
    const { offsets } = stored(server, FIRST)
    expect(offsets.length).toBeGreaterThan(4)
    for (const offset of offsets.slice(1)) expect(local(workspace, FIRST)[offset - 1]).toBe('\n')
    const whole = new Map(server.objects)
    // A run that was killed, and a part in the middle that somebody removed.
    const lost = [...whole.keys()].sort().filter((_, index) => index === 2 || index > 5)
    for (const key of lost) server.objects.delete(key)
    const before = puts(server)
    await shipTo(store, { journal: workspace.journal, to: '' }, PART_BYTES)
    expect(server.objects).toEqual(whole)
    expect(puts(server) - before).toBe(lost.length)
  })

  test('faults of the store, lost answers and a rival change nothing', async ({ workspace }) => {
    const server = await S3Server.start()
    await sealedJournal(workspace)
    for (const fault of ['cut', 'slow-down', 'lose-answer', 'lose-answer'] as const) {
      server.faults.push({ method: 'PUT', fault })
    }
    const stores = [await storeOf(), await storeOf()]
    await Promise.all(
      stores.map((store) => shipTo(store, { journal: workspace.journal, to: '' }, PART_BYTES)),
    )
    expect(server.faults).toEqual([])
    for (const name of [FIRST, SECOND]) expect(stored(server, name).text).toBe(local(workspace, name))
    const { held, shipped } = await shipTo(
      await storeOf(),
      { journal: workspace.journal, to: '' },
      PART_BYTES,
    )
    expect({ held, shipped }).toEqual({ held: 2, shipped: [] })
  })

  test('late lines become one more part, and an archive is the same as its plain file', async ({
    workspace,
  }) => {
    const server = await S3Server.start()
    await sealedJournal(workspace)
    const { journal, database } = workspace
    const to = 's3://logs/fleet'
    await ship({ journal, to })
    const before = local(workspace, SECOND).length
    appendFileSync(join(journal, SECOND), lines(requestLine('late')))
    await projectOnce({ journal, database })
    const late = lines(requestLine('late')).length
    expect(await ship({ journal, to })).toMatchObject({
      shipped: [{ segment: SECOND, bytes: late }],
      held: 1,
    })
    expect(stored(server, SECOND)).toEqual({ text: local(workspace, SECOND), offsets: [0, before] })
    const texts = [FIRST, SECOND].map((name) => local(workspace, name))
    const { archived } = await archiveWith({ journal, database }, { noticeMs: 0, onStep() {} })
    expect(archived).toHaveLength(2)
    expect(await ship({ journal, to })).toMatchObject({ shipped: [], held: 2 })
    server.objects.clear()
    expect((await ship({ journal, to })).shipped).toHaveLength(2)
    expect([FIRST, SECOND].map((name) => stored(server, name).text)).toEqual(texts)
  })

  test('archive and prune leave what the store named by --shipped-to does not hold', async ({
    workspace,
  }) => {
    const server = await S3Server.start()
    await sealedJournal(workspace)
    const { journal, database } = workspace
    const shippedTo = 's3://logs/fleet'
    const archived = async () =>
      (await archiveWith({ journal, database, shippedTo }, { noticeMs: 0, onStep() {} })).archived.map(
        ({ segment }) => segment,
      )
    const pruned = async () => {
      const { segments, left } = await prune({ journal, database, shippedTo, before: '2026-11-22' })
      return { segments, left }
    }
    expect(await archived()).toEqual([])
    await ship({ journal, to: shippedTo })
    const [key = ''] = [...server.objects.keys()].filter((key) => key.includes(SECOND))
    const second = server.objects.get(key)
    server.objects.delete(key)
    expect(await archived()).toEqual([FIRST])
    server.objects.set(key, second ?? { bytes: Buffer.alloc(0), metadata: {} })
    // The seal is about the bytes before this line; the store must hold all.
    appendFileSync(join(journal, SECOND), lines(requestLine('late')))
    await projectOnce({ journal, database })
    expect(await archived()).toEqual([])
    await ship({ journal, to: shippedTo })
    expect(await archived()).toEqual([SECOND])

    const [firstKey = ''] = [...server.objects.keys()].filter((key) => key.includes(FIRST))
    const first = server.objects.get(firstKey)
    server.objects.delete(firstKey)
    expect(await pruned()).toEqual({
      segments: [],
      left: [
        { segment: FIRST, reason: 'not_held' },
        { segment: SECOND, reason: 'behind_another' },
      ],
    })
    server.objects.set(firstKey, first ?? { bytes: Buffer.alloc(0), metadata: {} })
    expect(await pruned()).toEqual({ segments: [FIRST, SECOND], left: [] })
  })

  test('refuses what differs from the objects that are there, and leaves them', async ({ workspace }) => {
    const server = await S3Server.start()
    await sealedJournal(workspace)
    const { journal } = workspace
    const to = 's3://logs/fleet'
    await ship({ journal, to })
    const whole = new Map(server.objects)
    const other = `${workspace.directory}/other`
    writeSegment(other, lines(requestLine('x')), FIRST)
    await projectOnce({ journal: other, database: `${other}.db` })
    await expect(ship({ journal: other, to })).rejects.toMatchObject({
      code: 'OBJECT_DIFFERS',
      address: `s3://logs/fleet/${ID}/${FIRST}/0000000000000000.gz`,
    })
    const foreign = `fleet/${ID}/${FIRST}/0000000000000000.gz`
    server.objects.set(foreign, { bytes: Buffer.from('x'), metadata: {} })
    await expect(ship({ journal, to })).rejects.toThrow(/isn't a part of a journal/)
    expect(new Map(server.objects).set(foreign, whole.get(foreign) as never)).toEqual(whole)
  })

  test('sends nothing of a segment that is not what was sealed', async ({ workspace }) => {
    const server = await S3Server.start()
    await sealedJournal(workspace)
    workspace.expectDamage()
    const path = join(workspace.journal, FIRST)
    writeFileSync(path, readFileSync(path, 'latin1').replace('a7', 'aX'), 'latin1')
    const { status, json, stderr } = await runHere([
      ...['ship', '--journal', workspace.journal, '--to', 's3://logs/fleet', '--json'],
    ])
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
    expect(json).toMatchObject({
      shipped: [{ segment: SECOND }],
      skipped: [{ segment: FIRST, reason: 'altered' }, {}],
    })
    expect(stored(server, FIRST)).toEqual({ text: '', offsets: [] })
  })

  test('the command says what it sent, and what it expects', async ({ workspace }) => {
    const server = await S3Server.start()
    await sealedJournal(workspace)
    const args = ['ship', '--journal', workspace.journal, '--to']
    const { status, stdout } = await runHere([...args, 's3://logs/fleet'])
    expect(status).toBe(0)
    expect(stdout).toMatch(
      /^2 segments sent to s3:\/\/logs\/fleet\/test-journal\/: .*; 0 segments there already\n2099/,
    )
    expect(await runHere([...args, '/tmp/logs'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('Expected s3://bucket/prefix, found /tmp/logs'),
    })
    server.refusesAll = true
    expect(await runHere([...args, 's3://logs/fleet'])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /^error: s3:\/\/logs\/fleet\/test-journal\/: the store refuses \(InvalidAccessKeyId/,
      ),
    })
    rmSync(join(workspace.journal, 'journal.json'))
    workspace.expectDamage()
    expect((await runHere([...args, 's3://logs/fleet'])).stderr).toContain('journal.json is gone')
  })
})

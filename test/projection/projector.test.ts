import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, vi } from 'vitest'
import { openJournal } from '../../src/index.js'
import { openDatabase, projectOnce, startProjector } from '../../src/projection/index.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { requestLog, test, type Workspace } from '../support/workspace.js'

const count = (workspace: Workspace) => workspace.query('SELECT count(*) AS n FROM requests')[0]?.['n']

/** Resolves when the condition holds; the test's own time limit ends a vain wait. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2)
}

test('follows the journal while it is written to, the last line of each burst included', async ({
  workspace,
}) => {
  const journal = openJournal({ directory: workspace.journal })
  const projector = await startProjector(workspace)
  for (let burst = 1; burst <= 5; burst++) {
    for (let i = 0; i < 20; i++) journal.append(requestLog())
    await until(() => count(workspace) === burst * 20)
  }
  await projector.stop()
  await projector.finished
  await journal.close()
})

test('waits for a journal that is not there yet', async ({ workspace }) => {
  const info = vi.fn()
  const logger = { debug() {}, info, warn() {}, error() {} }
  const projector = await startProjector({ ...workspace, logger })
  expect(info).toHaveBeenCalledWith(
    { path: workspace.journal },
    expect.stringContaining('Waiting for a journal'),
  )
  const journal = openJournal({ directory: workspace.journal })
  journal.append(requestLog())
  await until(() => count(workspace) === 1)
  await projector.stop()
  await journal.close()
})

test('does not wait where a journal will never be', async ({ workspace }) => {
  writeFileSync(workspace.journal, '')
  await expect(startProjector(workspace)).rejects.toMatchObject({ code: 'JOURNAL_INVALID' })
})

test('projectOnce on a missing journal fails and creates nothing', async ({ workspace }) => {
  await expect(projectOnce(workspace)).rejects.toMatchObject({ code: 'JOURNAL_MISSING' })
  expect(() => count(workspace)).toThrow('unable to open')
})

test('follows into a newer segment, and reads the older one to its end first', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  const projector = await startProjector(workspace)
  await until(() => count(workspace) === 1)
  writeSegment(workspace.journal, lines(requestLine('b')))
  writeSegment(workspace.journal, lines(requestLine('c')), '2026-11-23.ndjson')
  await until(() => count(workspace) === 3)
  await projector.stop()
  expect(
    workspace.query('SELECT correlation_id AS c FROM requests ORDER BY id').map((row) => row['c']),
  ).toEqual(['a', 'b', 'c'])
})

describe('one projector a database', () => {
  test('a second one is refused and told of the first', async ({ workspace }) => {
    const projector = await startProjector(workspace)
    await expect(startProjector(workspace)).rejects.toThrow(new RegExp(`pid ${process.pid}`))
    await projector.stop()
    const next = await startProjector(workspace)
    await next.stop()
  })
})

test('a locked database is waited for; the journal goes on', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  await projectOnce(workspace)
  const other = openDatabase(workspace.database)
  other.exec('BEGIN IMMEDIATE')
  const warn = vi.fn()
  const projector = await startProjector({
    ...workspace,
    logger: { debug() {}, info() {}, warn, error() {} },
  })
  writeSegment(workspace.journal, lines(requestLine('b')))
  await until(() => warn.mock.calls.length > 0)
  expect(warn.mock.calls[0]?.[0]).toMatchObject({
    err: { code: 'DATABASE_BUSY', cause: { code: 'SQLITE_BUSY' } },
  })
  other.exec('ROLLBACK')
  other.close()
  await until(() => count(workspace) === 2)
  await projector.stop()
})

test('a cost that is not finite is unknown, and the log says so once a batch', async ({ workspace }) => {
  const request = '{"type":"request_logged","model":"m","latency_ms":1,"success":true,"cost_sats":1e999}'
  const warn = vi.fn()
  const projector = await startProjector({
    ...workspace,
    logger: { debug() {}, info() {}, warn, error() {} },
  })
  writeSegment(workspace.journal, lines(requestLine('a'), request, request))
  await until(() => count(workspace) === 3)
  await projector.stop()
  expect(workspace.query('SELECT count(*) AS n FROM requests WHERE cost_sats IS NULL')).toEqual([{ n: 3 }])
  const place = { segment: '2026-11-22.ndjson', byte_offset: requestLine('a').length + 1 }
  expect(warn.mock.calls).toEqual([
    [{ ...place, member: 'cost_sats' }, expect.stringMatching(/^Found costs that are not finite/)],
  ])
})

test('a database that was removed stops it with what to do', async ({ workspace }) => {
  workspace.expectDamage()
  writeSegment(workspace.journal, lines(requestLine('a')))
  const projector = await startProjector(workspace)
  await until(() => count(workspace) === 1)
  for (const suffix of ['', '-wal', '-shm']) rmSync(workspace.database + suffix, { force: true })
  writeSegment(workspace.journal, lines(requestLine('b')))
  await expect(projector.finished).rejects.toMatchObject({ code: 'DATABASE_REMOVED' })
  expect(await projectOnce(workspace)).toMatchObject({ projected: 2 })
})

test('a fragment that is replaced while the projector waits for its end is read again', async ({
  workspace,
}) => {
  writeSegment(workspace.journal, `${lines(requestLine('a'))}${requestLine('b').slice(0, 80)}`)
  const projector = await startProjector(workspace)
  await until(() => count(workspace) === 1)
  const path = `${workspace.journal}/${DAY}`
  // In place: same inode, same beginning up to the position.
  const { openSync, ftruncateSync, closeSync } = await import('node:fs')
  const fd = openSync(path, 'r+')
  ftruncateSync(fd, requestLine('a').length + 1)
  closeSync(fd)
  writeSegment(workspace.journal, lines(requestLine('c', { model: 'x'.repeat(300) })))
  await until(() => count(workspace) === 2)
  await projector.stop()
  expect(workspace.query('SELECT * FROM rejected_lines')).toEqual([])
})

test('a journal that is moved away and back is not projected twice', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  await projectOnce(workspace)
  renameSync(workspace.journal, `${workspace.journal}.away`)
  await expect(projectOnce(workspace)).rejects.toMatchObject({ code: 'JOURNAL_MISSING' })
  renameSync(`${workspace.journal}.away`, workspace.journal)
  expect(await projectOnce(workspace)).toMatchObject({ projected: 0 })
})

test.for<[string, string]>([
  ['ALTER TABLE requests DROP COLUMN policy', 'no column named policy'],
  ['CREATE UNIQUE INDEX theirs ON requests(correlation_id)', 'UNIQUE constraint failed'],
])('after %s the error says what somebody changed, and what to do', async ([sql, found], { workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a'), requestLine('a')))
  const connection = openDatabase(database)
  connection.exec(sql)
  connection.close()
  workspace.expectDamage()
  await expect(projectOnce({ journal, database })).rejects.toMatchObject({
    code: 'SCHEMA_CHANGED',
    message: expect.stringContaining(found),
  })
})

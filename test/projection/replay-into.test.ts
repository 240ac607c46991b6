import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { expect } from 'vitest'
import { verify } from '../../src/maintenance/index.js'
import { projectOnce, replay } from '../../src/projection/index.js'
import { acquireDatabaseLock } from '../../src/store/sqlite/connection/lock.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'
import { query, test, type Workspace } from '../support/workspace.js'

async function fill(workspace: Workspace): Promise<string> {
  writeSegment(
    workspace.journal,
    lines(
      requestLine('a', { policy: 'chat', streaming: true }),
      completionLine('a'),
      requestLine('b'),
      'bad',
    ),
  )
  await projectOnce(workspace)
  return join(workspace.directory, 'new.db')
}

function alter(workspace: Workspace, sql: string): void {
  workspace.expectDamage()
  const database = new SQLite(workspace.database)
  database.exec(sql)
  database.close()
}

test('makes the same database at another path, readable by its owner alone, and leaves the old one', async ({
  workspace,
}) => {
  const into = await fill(workspace)
  const before = readFileSync(workspace.database)
  expect(await replay({ ...workspace, into, diff: true })).toMatchObject({ projected: 3, differences: [] })
  expect(readFileSync(workspace.database)).toEqual(before)
  expect(statSync(into).mode & 0o777).toBe(0o600)
  expect(query(into, 'SELECT * FROM requests')).toEqual(workspace.query('SELECT * FROM requests'))
  expect(await verify({ ...workspace, database: into })).toMatchObject({ ok: true, problems: [] })
  expect(readdirSync(workspace.directory).filter((name) => name.includes('.replay'))).toEqual([])
})

test('goes on in the new database, which has what users have added and the counters', async ({
  workspace,
}) => {
  const into = await fill(workspace)
  alter(workspace, "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine'); DELETE FROM requests")
  await replay({ ...workspace, into })
  writeSegment(workspace.journal, lines(requestLine('c')))
  await projectOnce({ ...workspace, database: into })
  expect(query(into, 'SELECT text FROM notes')).toEqual([{ text: 'mine' }])
  expect(query(into, 'SELECT sum(requests) AS n FROM request_counters')).toEqual([{ n: 3 }])
  expect(query(into, 'SELECT id FROM requests')).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
})

test('tells by table and column what differs, with examples', async ({ workspace }) => {
  const into = await fill(workspace)
  alter(
    workspace,
    `UPDATE requests SET model = 'gpt-5' WHERE id = 2; DELETE FROM rejected_lines;
     INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success, segment_id, byte_offset)
       VALUES ('x', '', 'm', 1, 1, 20261122000, 1)`,
  )
  const { differences } = await replay({ ...workspace, into, diff: true })
  expect(differences).toMatchObject([
    {
      table: 'requests',
      added: 0,
      removed: 1,
      changed: 1,
      columns: { model: 1 },
      examples: [
        { key: { byte_offset: 1 }, before: { model: 'm' }, after: null },
        { key: { segment_id: 20261122000 }, before: { model: 'gpt-5' }, after: { model: 'gpt-4o' } },
      ],
    },
    { table: 'rejected_lines', added: 1, removed: 0, changed: 0, columns: {} },
  ])
})

test('gives the ids and late lines that a replay changes', async ({ workspace }) => {
  const into = await fill(workspace)
  writeSegment(workspace.journal, lines(requestLine('early')), '2026-11-21.ndjson')
  await projectOnce(workspace)
  const { differences = [] } = await replay({ ...workspace, into, diff: true })
  expect(differences.map(({ table, changed, columns }) => ({ table, changed, columns }))).toEqual([
    { table: 'requests', changed: 3, columns: { id: 3 } },
    { table: 'journal_segments', changed: 1, columns: { late_lines: 1 } },
  ])
})

test('works beside a projector on the old database, and without an old database', async ({ workspace }) => {
  const into = await fill(workspace)
  const lock = acquireDatabaseLock(workspace.database, 'project')
  try {
    await replay({ ...workspace, into, diff: true })
  } finally {
    lock.release()
  }
  const none = join(workspace.directory, 'none.db')
  const alone = join(workspace.directory, 'alone.db')
  expect(await replay({ ...workspace, database: none, into: alone })).toMatchObject({ projected: 3 })
  expect(existsSync(none)).toBe(false)
  await expect(replay({ ...workspace, database: none, into: `${alone}2`, diff: true })).rejects.toMatchObject(
    {
      code: 'DATABASE_MISSING',
    },
  )
})

test('never writes over a file, removes what a killed run has left, and nothing is left of a refused one', async ({
  workspace,
}) => {
  const into = await fill(workspace)
  writeFileSync(into, 'mine')
  await expect(replay({ ...workspace, into })).rejects.toMatchObject({ code: 'DATABASE_UNWRITABLE' })
  expect(readFileSync(into, 'utf8')).toBe('mine')
  const other = join(workspace.directory, 'other.db')
  writeFileSync(`${other}.replay`, 'half')
  await replay({ ...workspace, into: other })
  workspace.expectDamage()
  writeFileSync(join(workspace.journal, DAY), '')
  const third = join(workspace.directory, 'third.db')
  await expect(replay({ ...workspace, into: third })).rejects.toMatchObject({ code: 'SEGMENT_TRUNCATED' })
  expect(readdirSync(workspace.directory).filter((name) => /replay|third/.test(name))).toEqual([])
})

test('never writes over a file that somebody puts there while it rebuilds', async ({ workspace }) => {
  const into = await fill(workspace)
  const onProgress = () => writeFileSync(into, 'mine')
  await expect(replay({ ...workspace, into, onProgress })).rejects.toMatchObject({
    code: 'DATABASE_UNWRITABLE',
  })
  expect(readFileSync(into, 'utf8')).toBe('mine')
  expect(readdirSync(workspace.directory).filter((name) => name.includes('replay'))).toEqual([])
})

test('refuses to compare without a new path', async ({ workspace }) => {
  await fill(workspace)
  await expect(replay({ ...workspace, diff: true })).rejects.toThrow(TypeError)
})

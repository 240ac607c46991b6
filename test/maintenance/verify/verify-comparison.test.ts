import { readdirSync } from 'node:fs'
import SQLite from 'better-sqlite3'
import { describe, expect } from 'vitest'
import { type VerifyReport, verify } from '../../../src/maintenance/index.js'
import { projectOnce, replay } from '../../../src/projection/index.js'
import { checkSpace, rebuiltBytes } from '../../../src/store/sqlite/connection/copy-database.js'
import { openDatabaseReadOnly } from '../../../src/store/sqlite/connection/database.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { test, type Workspace } from '../../support/workspace.js'

const NEXT_DAY = '2026-11-23.ndjson'

async function fill(workspace: Workspace): Promise<void> {
  writeSegment(
    workspace.journal,
    lines(
      requestLine('a', { policy: 'chat', input_tokens: 10, output_tokens: 20 }),
      requestLine('s', { streaming: true }),
      completionLine('s', { success: true }),
      completionLine('s', { success: false, output_tokens: 7 }),
      'nonsense',
    ),
  )
  writeSegment(workspace.journal, lines(requestLine('b'), requestLine('c')), NEXT_DAY)
  await projectOnce(workspace)
}

function alter(workspace: Workspace, sql: string): void {
  workspace.expectDamage()
  const database = new SQLite(workspace.database)
  database.exec(sql)
  database.close()
}

function kinds({ problems }: VerifyReport): string[] {
  return problems.map(({ kind }) => kind)
}

describe('verify finds', () => {
  const CASES: [string, string, string[]][] = [
    [
      'a counter of requests that is too high',
      "UPDATE request_counters SET requests = requests + 1 WHERE policy = 'chat'",
      ['counter'],
    ],
    [
      'a counter of requests that is too low',
      'UPDATE request_counters SET requests = requests - 1 WHERE policy IS NULL',
      ['counter'],
    ],
    [
      'a counter of tokens that is another one, where every completion has one request',
      "UPDATE request_counters SET output_tokens = output_tokens + 1 WHERE policy = 'chat'",
      ['counter'],
    ],
    ['counters that are gone', 'DELETE FROM request_counters WHERE policy IS NULL', ['counter', 'counter']],
    [
      'a counter of nothing',
      "INSERT INTO request_counters (model, requests, key) VALUES ('x', 1, 'x')",
      ['counter'],
    ],
    [
      'a counter of latencies that is another one',
      'UPDATE latency_counters SET requests = requests + 1',
      ['counter', 'counter'],
    ],
    ['the detail of a rejected line', "UPDATE rejected_lines SET detail = 'another'", ['altered']],
    ['an overwritten completion that is gone', 'DELETE FROM superseded_completions', ['missing']],
    [
      'another success of an overwritten completion',
      'UPDATE superseded_completions SET success = 0',
      ['altered'],
    ],
    [
      'a made-up overwritten completion',
      'INSERT INTO superseded_completions VALUES (20261122000, 1, 1, 1)',
      ['surplus'],
    ],
    [
      'a completion of a pruned request that is none',
      "INSERT INTO pruned_completion_places VALUES ('b', 20261123000, 1, 0)",
      ['surplus'],
    ],
    [
      'counts of irregular completions',
      'UPDATE journal_segments SET repeated_completions = repeated_completions + 1 WHERE id = 20261122000',
      ['counts'],
    ],
  ]

  test.for(CASES)('%s', async ([, sql, expected], { workspace }) => {
    await fill(workspace)
    expect(await verify(workspace)).toMatchObject({ ok: true, problems: [] })
    alter(workspace, sql)
    const report = await verify(workspace)
    expect({ ok: report.ok, kinds: kinds(report) }).toEqual({ ok: false, kinds: expected })
  })

  test('two rows whose ids were swapped, also where a line came late', async ({ workspace }) => {
    await fill(workspace)
    writeSegment(workspace.journal, lines(requestLine('late')))
    await projectOnce(workspace)
    expect(await verify(workspace)).toMatchObject({ ok: true, late: 1 })
    alter(
      workspace,
      'UPDATE requests SET id = 99 WHERE id = 1; UPDATE requests SET id = 1 WHERE id = 3; UPDATE requests SET id = 3 WHERE id = 99',
    )
    expect(kinds(await verify(workspace))).toEqual(['altered'])
  })

  test('a row that got an id beyond all others, also where a line came late', async ({ workspace }) => {
    await fill(workspace)
    writeSegment(workspace.journal, lines(requestLine('late')))
    await projectOnce(workspace)
    alter(workspace, 'UPDATE requests SET id = 99 WHERE id = 5')
    expect(kinds(await verify(workspace))).toEqual(['altered'])
  })
})

describe('no fault is', () => {
  test('what counters have kept where a replay gave completions to other requests', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('x', { streaming: true, model: 'm' })), NEXT_DAY)
    await projectOnce(workspace)
    writeSegment(workspace.journal, lines(completionLine('x', { output_tokens: 3 })), NEXT_DAY)
    await projectOnce(workspace)
    const early = lines(
      requestLine('x', { streaming: true, model: 'n' }),
      completionLine('x', { output_tokens: 5 }),
    )
    writeSegment(workspace.journal, early)
    await projectOnce(workspace)
    expect(await verify(workspace)).toMatchObject({ ok: true, problems: [] })
    await replay(workspace)
    expect(await verify(workspace)).toMatchObject({ ok: true, problems: [] })
  })
})

test('nothing is left beside the database', async ({ workspace }) => {
  await fill(workspace)
  const before = readdirSync(workspace.directory)
  let during: string[] = []
  await verify({
    ...workspace,
    onProgress: () => {
      during = readdirSync(workspace.directory)
    },
  })
  // The temporary database has no name even while it is written.
  expect(during.filter((name) => !/-(wal|shm)$/.test(name))).toEqual(before)
  expect(readdirSync(workspace.directory).filter((name) => !/-(wal|shm)$/.test(name))).toEqual(before)
})

test('a disk without room for a second database is refused before anything is written', async ({
  workspace,
}) => {
  await fill(workspace)
  const { directory, database: path } = workspace
  const database = openDatabaseReadOnly(path)
  const needed = rebuiltBytes(database)
  database.close()
  expect(needed).toBeGreaterThan(16 * 1024 * 1024)
  expect(() => checkSpace(directory, needed, path)).not.toThrow()
  expect(() => checkSpace(directory, 2 ** 60, path)).toThrow(
    expect.objectContaining({
      code: 'DATABASE_UNWRITABLE',
      message: expect.stringMatching(/found [\d,]+ MiB of free space in .*, expected [\d,]+ MiB/),
    }),
  )
})

import { appendFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect } from 'vitest'
import { verify } from '../../../src/maintenance/verify/verify.js'
import { projectOnceWith } from '../../../src/projection/projector.js'
import { replay } from '../../../src/projection/replay.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { test, type Workspace } from '../../support/workspace.js'

const SEALED = '2024-11-20.ndjson'
const LATER = '2026-11-22_001.ndjson'
/** On that day, so that only the old segment is sealed. */
const CLOCK = { now: () => Date.parse('2026-11-22T12:00:00Z') }

const TWO = lines(requestLine('a', { policy: 'p' }), requestLine('b', { policy: 'p', input_tokens: 3 }))
const firstBytes = Buffer.byteLength(lines(requestLine('a', { policy: 'p' })))

async function project(workspace: Workspace, name: string): Promise<void> {
  writeSegment(workspace.journal, TWO, name)
  writeSegment(workspace.journal, lines(requestLine('c', { policy: 'p' })), LATER)
  await projectOnceWith(workspace, CLOCK)
}

const kinds = ({ problems }: Awaited<ReturnType<typeof verify>>) => problems.map(({ kind }) => kind)

function alter(workspace: Workspace, sql: string): void {
  const database = new SQLite(workspace.database)
  database.exec(sql)
  database.close()
}

/**
 * What a replay with allowMissing has lost, and what verify says of the journal itself. That a
 * segment is gone was accepted.
 */
const CASES: [string, string, string[], (path: string) => void][] = [
  ['an unsealed segment is missing', DAY, [], (path) => rmSync(path)],
  ['a sealed segment is missing', SEALED, [], (path) => rmSync(path)],
  ['an unsealed segment is truncated', DAY, [], (path) => truncateSync(path, firstBytes)],
  ['a sealed segment is truncated', SEALED, ['tampered'], (path) => truncateSync(path, firstBytes)],
  [
    'a segment was truncated and written on',
    DAY,
    [],
    (path) => {
      truncateSync(path, firstBytes)
      appendFileSync(path, lines(requestLine('x', { policy: 'other' }), requestLine('y', { policy: 'p' })))
    },
  ],
  [
    'a line is damaged',
    DAY,
    [],
    (path) => writeFileSync(path, TWO.replace('"input_tokens":3', '"input_tokens":4')),
  ],
]

describe.each(CASES)('after a replay with allowMissing where %s', (_, name, ofJournal, damage) => {
  test('verify finds no fault in counters, after the next projection either', async ({ workspace }) => {
    workspace.expectDamage()
    await project(workspace, name)
    expect(await verify(workspace)).toMatchObject({ ok: true })
    damage(join(workspace.journal, name))
    await expect(replay(workspace)).rejects.toThrow('--allow-missing')
    await replay({ ...workspace, allowMissing: true })
    expect(kinds(await verify(workspace))).toEqual(ofJournal)
    writeSegment(workspace.journal, lines(requestLine('d', { policy: 'p' })), LATER)
    await projectOnceWith(workspace, CLOCK)
    await replay(workspace)
    expect(kinds(await verify(workspace))).toEqual(ofJournal)
  })
})

test('verify still finds counters that have less than the lines that are left', async ({ workspace }) => {
  workspace.expectDamage()
  await project(workspace, DAY)
  rmSync(join(workspace.journal, DAY))
  await replay({ ...workspace, allowMissing: true })
  alter(workspace, 'UPDATE request_counters SET requests = requests - 2')
  expect(kinds(await verify(workspace))).toEqual([])
  alter(workspace, 'UPDATE request_counters SET requests = requests - 1')
  expect(kinds(await verify(workspace))).toEqual(['counter'])
})

test('verify knows that a lost segment which came back was counted twice', async ({ workspace }) => {
  await project(workspace, DAY)
  rmSync(join(workspace.journal, DAY))
  await replay({ ...workspace, allowMissing: true })
  writeSegment(workspace.journal, TWO)
  await projectOnceWith(workspace, CLOCK)
  expect(await verify(workspace)).toMatchObject({ ok: true, rows: 3 })
  workspace.expectDamage()
})

test('a replay with allowMissing that loses nothing leaves counters as strict as they were', async ({
  workspace,
}) => {
  await project(workspace, DAY)
  await replay({ ...workspace, allowMissing: true })
  alter(workspace, 'UPDATE request_counters SET requests = requests + 1')
  expect(kinds(await verify(workspace))).toEqual(['counter'])
})

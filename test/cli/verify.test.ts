import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { expect } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { runHere } from '../support/command.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { test, type Workspace } from '../support/workspace.js'

const NEXT_DAY = '2026-11-23.ndjson'

async function fill(workspace: Workspace): Promise<void> {
  writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b'), 'nonsense'))
  writeSegment(workspace.journal, lines(requestLine('c')), NEXT_DAY)
  await projectOnce(workspace)
}

function runVerify({ journal, database }: Workspace, ...args: string[]) {
  return runHere(['verify', '--journal', journal, '--db', database, ...args])
}

test('nothing is wrong: exit 0, a page without a problem, one line of JSON', async ({ workspace }) => {
  await fill(workspace)
  const page = await runVerify(workspace)
  expect({ status: page.status, stderr: page.stderr }).toEqual({ status: 0, stderr: '' })
  expect(page.stdout).toMatch(/^journal {3}4 lines in 2 segments; 1 rejected/m)
  expect(page.stdout).toMatch(/^database {2}3 rows$/m)
  expect(page.stdout).toMatch(/^ok {8}nothing is wrong \(\d+ ms\)\n$/m)
  const { status, stdout, json } = await runVerify(workspace, '--json')
  expect(status).toBe(0)
  expect(stdout.split('\n')).toHaveLength(2)
  expect(json).toMatchObject({ ok: true, lines: 4, rows: 3, rejected: 1, pending: 0, problems: [] })
})

test('each problem is one line with its place and both values, and says what to do: exit 1', async ({
  workspace,
}) => {
  await fill(workspace)
  workspace.expectDamage()
  const database = new SQLite(workspace.database)
  database.exec(`UPDATE requests SET model = 'gpt' || char(27) || '[31m' WHERE correlation_id = 'b'`)
  database.close()
  const { status, stdout, stderr } = await runVerify(workspace)
  expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
  const at = requestLine('a').length + 1
  expect(stdout).toMatch(/^WRONG {5}1 problem \(/m)
  expect(stdout).toContain(
    `\naltered   ${DAY}:${at}  row 2 is not what its line says: model "gpt-4o", in the database "gpt\\u001b[31m"\n`,
  )
  expect(stdout).toMatch(/^What to do: .*`request-journal replay`.*\.$/m)
  expect((await runVerify(workspace, '--json')).status).toBe(1)
})

test('--no-db checks a copy of the journal that is older than the database, which a replay with --allow-missing makes that of the copy', async ({
  workspace,
}) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  await projectOnce(workspace)
  const copy = join(workspace.directory, 'copy')
  cpSync(workspace.journal, copy, { recursive: true })
  await fill(workspace)
  const inCopy = (...args: string[]) =>
    runHere([...args, '--journal', copy], { REQUEST_JOURNAL_DB: workspace.database })
  const alone = await inCopy('verify', '--no-db')
  expect(alone).toMatchObject({ status: 0, stderr: '' })
  expect(alone.stdout).toContain('\ndatabase  none; the journal was checked alone\n')
  expect((await inCopy('verify')).status).toBe(1)
  expect((await inCopy('replay')).stderr).toMatch(/older than the database, .*--allow-missing/)
  expect((await inCopy('replay', '--allow-missing')).status).toBe(0)
  expect((await inCopy('verify')).stdout).toContain('nothing is wrong')
  rmSync(workspace.journal, { recursive: true })
  cpSync(copy, workspace.journal, { recursive: true })
})

test('a journal that lost something is not to be replayed, whatever else is wrong', async ({ workspace }) => {
  await fill(workspace)
  workspace.expectDamage()
  rmSync(join(workspace.journal, NEXT_DAY))
  const database = new SQLite(workspace.database)
  database.exec('UPDATE requests SET latency_ms = latency_ms + id')
  database.close()
  const { status, stdout } = await runVerify(workspace)
  expect(status).toBe(1)
  expect(stdout).toMatch(/^gone {6}2026-11-23\.ndjson:0 /m)
  expect(stdout.match(/^What to do: .*$/gm)).toEqual([
    expect.stringMatching(/compare it with a backup.*a replay before that would/),
  ])
})

test('shows twenty problems, and how many more', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(...Array.from({ length: 30 }, (_, i) => requestLine(`r${i}`))))
  await projectOnce(workspace)
  workspace.expectDamage()
  const database = new SQLite(workspace.database)
  database.exec('DELETE FROM requests')
  database.close()
  const { stdout } = await runVerify(workspace)
  expect(stdout.match(/^missing/gm)).toHaveLength(20)
  expect(stdout).toContain('\n… and 10 more (--json has the first 30)\n')
})

test('without a database the journal is checked alone, and that is said', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  const { status, stdout } = await runVerify(workspace)
  expect(status).toBe(0)
  expect(stdout).toMatch(/none; the journal was checked alone$/m)
})

test('no journal: one clear paragraph, exit 1', async ({ workspace }) => {
  const { status, stdout, stderr } = await runVerify(workspace)
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  expect(stderr).toMatch(/^error: There is no journal in .*\n$/)
})

import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { expect } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { runHere } from '../support/command.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { test, type Workspace } from '../support/workspace.js'

function runReplay({ journal, database }: Workspace, ...args: string[]) {
  return runHere(['replay', '--journal', journal, '--db', database, ...args])
}

test('replay --into --diff says what differs, and its exit code is 1 only if something does', async ({
  workspace,
}) => {
  writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
  await projectOnce(workspace)
  const path = (name: string) => join(workspace.directory, name)
  const same = await runReplay(workspace, '--into', path('same.db'), '--diff')
  expect(same.status).toBe(0)
  expect(same.stdout).toMatch(/^2 events projected .*\nnothing differs from the old database\n$/)

  workspace.expectDamage()
  const database = new SQLite(workspace.database)
  database.exec("UPDATE requests SET model = 'gpt-5' WHERE id = 2")
  database.close()
  const page = await runReplay(workspace, '--into', path('page.db'), '--diff')
  expect(page.status).toBe(1)
  expect(page.stdout).toContain(
    '\nrequests: 1 row changed, 0 added, 0 removed\n  model in 1 row\n  for example segment_id 20261122000, ',
  )
  expect(page.stdout).toContain(': model "gpt-5" becomes "gpt-4o"\n')
  const { status, json } = await runReplay(workspace, '--into', path('json.db'), '--diff', '--json')
  expect(status).toBe(1)
  expect(json).toMatchObject({
    projected: 2,
    differences: [{ table: 'requests', changed: 1, columns: { model: 1 } }],
  })
  // Without --diff nothing is compared.
  expect(await runReplay(workspace, '--into', path('plain.db'))).toMatchObject({ status: 0 })
})

test('replay --diff without --into is wrong use', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  const { status, stderr } = await runReplay(workspace, '--diff')
  expect(status).toBe(2)
  expect(stderr).toMatch(/^error: option '--diff' needs '--into'/)
})

import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { runHere } from '../support/command.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { test, type Workspace } from '../support/workspace.js'

/** Over, whatever the clock of the machine says. */
const DAY = '2024-11-22.ndjson'

async function prepare({ journal, database }: Workspace): Promise<string[]> {
  writeSegment(journal, lines(requestLine('a')), DAY)
  chmodSync(join(journal, DAY), 0o600)
  await projectOnce({ journal, database })
  return ['doctor', '--journal', journal, '--db', database]
}

test('healthy: exit 0, the verdict last, and --json says the same', async ({ workspace }) => {
  const args = await prepare(workspace)
  const { status, stdout, stderr } = await runHere(args)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(/^note {5}projector .*not running\n +→ Start `request-journal project`/m)
  expect(stdout).toMatch(/^ok {7}watcher .*$/m)
  expect(stdout).toMatch(/\n\nNo problem found \(1 note, \d+ checks ok\)\.\n$/)
  const { json, stdout: line } = await runHere([...args, '--json'])
  expect(line.split('\n')).toHaveLength(2)
  expect(json).toMatchObject({ healthy: true, problems: 0, notes: 1, journal: workspace.journal })
})

test('a problem: exit 1, on top, with what to do, within the width', async ({ workspace }) => {
  const args = await prepare(workspace)
  writeFileSync(join(workspace.journal, `${DAY}.distrusted`), '\u001b[31mEIO')
  for (let i = 1; i < 8; i++) writeSegment(workspace.journal, 'x', `2024-11-1${i}.ndjson`)
  const { status, stdout, stderr } = await runHere(args)
  expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
  expect(stdout.split('\n')[3]).toMatch(/^PROBLEM {2}distrusted segments {2}a sync of 1 segment failed/)
  expect(stdout).toContain('- 2024-11-22.ndjson.distrusted: \\x1b[31mEIO')
  expect(stdout).toContain('… and 2 more (--json)')
  expect(stdout).toMatch(/\n1 problem \(3 notes, \d+ checks ok\)\.\n$/)
  for (const columns of ['100', '40']) {
    const page = (await runHere(args, { COLUMNS: columns })).stdout
    // Words that are longer, such as paths, stay whole to be copied.
    const wide = page.split('\n').filter((line) => line.length > Number(columns) && /\S \S/.test(line.trim()))
    expect(wide.filter((line) => !line.includes(workspace.directory))).toEqual([])
  }
  expect(await runHere([...args, '--json'])).toMatchObject({ status: 1, json: { healthy: false } })
})

test('nothing there: findings on stdout, no error', async ({ workspace }) => {
  const { journal, database } = workspace
  const { status, stdout, stderr } = await runHere(['doctor', '--journal', journal, '--db', database])
  expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
  expect(stdout).toMatch(/^PROBLEM {2}journal .*There is no journal in/m)
  expect(stdout).toMatch(/^PROBLEM {2}database .*there is no such database/m)
})

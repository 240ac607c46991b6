import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openJournal } from '../../src/index.js'
import { projectOnce } from '../../src/projection/index.js'
import { acquireDatabaseLock } from '../../src/store/sqlite/connection/lock.js'
import { runHere } from '../support/command.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { requestLog, test } from '../support/workspace.js'

test('answers that are older than the journal say so on stderr, also where there is no answer', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a')))
  await projectOnce({ journal, database })
  const noteOf = async (...args: string[]) => (await runHere([...args, '--db', database])).stderr
  expect(await noteOf('stats', '--json')).toBe('')
  appendFileSync(join(journal, DAY), lines(requestLine('b')))
  // The journal beside the database is its own.
  const note =
    /^note: \d+ B of the journal not projected yet; no projector runs: `request-journal project --once` projects it, /m
  for (const args of [['stats', '--json'], ['requests'], ['prices', 'unpriced'], ['show', 'b']]) {
    expect(await noteOf(...args)).toMatch(note)
  }
  expect(await noteOf('show', 'b')).toMatch(/^error: .*not found/m)
  const { stderr, json } = await runHere([
    'prices',
    'set',
    'm',
    '--input',
    '1',
    '--journal',
    journal,
    '--json',
  ])
  expect(json).toMatchObject({ appended: 1 })
  expect(stderr).toMatch(/^note: it takes effect once it is projected, and no projector runs/)
  const projector = acquireDatabaseLock(database, 'project')
  try {
    // It has just begun to wait.
    expect(await noteOf('stats')).toBe('')
    const running = await noteOf('prices', 'set', 'm', '--input', '2', '--journal', journal)
    expect(running).toBe('note: it takes effect within a second: a projector runs\n')
  } finally {
    projector.release()
  }
  await projectOnce({ journal, database })
})

test('a journal of another database says nothing', async ({ workspace }) => {
  const { journal, database, directory } = workspace
  writeSegment(journal, lines(requestLine('a')))
  await projectOnce({ journal, database })
  const other = join(directory, 'other')
  const opened = openJournal({ directory: other })
  opened.append(requestLog())
  await opened.close()
  const { status, stderr } = await runHere(['show', '1', '--journal', other, '--db', database])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

import {
  cpSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, vi } from 'vitest'
import { readIdentity } from '../../../src/journal/journal-identity.js'
import { CatchUp } from '../../../src/projection/catch-up.js'
import { projectOnce, startProjector } from '../../../src/projection/index.js'
import { JournalSegments } from '../../../src/projection/segments/journal-segments.js'
import { SqliteStore } from '../../../src/store/sqlite/sqlite-store.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { test, type Workspace } from '../../support/workspace.js'

const A = requestLine('a')
const B = requestLine('b')
const C = requestLine('c')

/** What is done to a segment of three lines that has been projected, and how the projector must stop. */
const DAMAGES: { name: string; code: string; damage(path: string): void }[] = [
  { name: 'truncated', code: 'SEGMENT_TRUNCATED', damage: (path) => truncateSync(path, A.length + 1) },
  { name: 'emptied', code: 'SEGMENT_TRUNCATED', damage: (path) => truncateSync(path, 0) },
  { name: 'removed', code: 'SEGMENT_MISSING', damage: (path) => rmSync(path) },
  { name: 'renamed', code: 'SEGMENT_MISSING', damage: (path) => renameSync(path, `${path}.old`) },
  {
    name: 'truncated and grown again',
    code: 'SEGMENT_REPLACED',
    damage: (path) => writeFileSync(path, lines(A, B, requestLine('x'), requestLine('y'))),
  },
  {
    name: 'copied over with the same length',
    code: 'SEGMENT_REPLACED',
    damage: (path) => writeFileSync(path, lines(C, B, A)),
  },
  {
    name: 'replaced by another file that ends alike',
    code: 'SEGMENT_REPLACED',
    damage: (path) => replaceBy(path, lines(B, A, C, requestLine('z'))),
  },
  {
    name: 'replaced by a symbolic link',
    code: 'SEGMENT_UNREADABLE',
    damage: (path) => {
      renameSync(path, `${path}.target`)
      symlinkSync(`${path}.target`, path)
    },
  },
]

function replaceBy(path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

async function projectThree(workspace: Workspace): Promise<string> {
  writeSegment(workspace.journal, lines(A, B, C))
  await projectOnce(workspace)
  return join(workspace.journal, DAY)
}

describe.each(DAMAGES)('a segment that was $name', ({ code, damage }) => {
  test('stops the projector at its start', async ({ workspace }) => {
    workspace.expectDamage()
    damage(await projectThree(workspace))
    await expect(projectOnce(workspace)).rejects.toMatchObject({ code })
    expect(workspace.query('SELECT * FROM requests')).toHaveLength(3)
  })

  test('stops the projector at work', async ({ workspace }) => {
    workspace.expectDamage()
    const path = await projectThree(workspace)
    const projector = await startProjector(workspace)
    damage(path)
    await expect(projector.finished).rejects.toMatchObject({ code })
    expect(workspace.query('SELECT * FROM requests')).toHaveLength(3)
  })
})

test('the error says what was found, what was expected and what to do', async ({ workspace }) => {
  workspace.expectDamage()
  truncateSync(await projectThree(workspace), 10)
  await expect(projectOnce(workspace)).rejects.toThrow(
    /has 10 bytes, but \d+ were projected from it: it was truncated; put the segment back, or .* replay --allow-missing/,
  )
})

test('a faithful copy goes on, and is known from then on', async ({ workspace }) => {
  const path = await projectThree(workspace)
  const before = statSync(path).ino
  cpSync(path, `${path}.copy`)
  renameSync(`${path}.copy`, path)
  expect(statSync(path).ino).not.toBe(before)
  writeSegment(workspace.journal, lines(requestLine('d')))
  expect(await projectOnce(workspace)).toMatchObject({ projected: 1 })
  expect(workspace.query('SELECT inode FROM journal_segments')).toEqual([
    { inode: String(statSync(path).ino) },
  ])
})

test("another journal's database is refused", async ({ workspace }) => {
  workspace.expectDamage()
  await projectThree(workspace)
  const identity = join(workspace.journal, 'journal.json')
  writeFileSync(identity, readFileSync(identity, 'utf8').replace('test-journal', 'other-journal'))
  await expect(projectOnce(workspace)).rejects.toMatchObject({ code: 'OTHER_JOURNAL' })
})

test('a segment that goes between being listed and being opened is gone, not unreadable', async ({
  workspace,
}) => {
  workspace.expectDamage()
  const path = await projectThree(workspace)
  writeSegment(workspace.journal, lines(requestLine('z')), '2026-11-23.ndjson')
  const store = new SqliteStore(workspace.database, { purpose: 'project' })
  const catchUp = await CatchUp.start({
    directory: workspace.journal,
    identity: readIdentity(workspace.journal),
    store,
  })
  // What the projector listed a moment ago.
  catchUp.segments()
  const list = vi.spyOn(JournalSegments.prototype, 'list').mockReturnValueOnce(catchUp.segments())
  rmSync(path)
  await expect(catchUp.run(() => false, true)).rejects.toMatchObject({ code: 'SEGMENT_MISSING' })
  list.mockRestore()
  catchUp.close()
  store.close()
})

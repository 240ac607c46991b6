import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { openJournal } from '../../src/index.js'
import { projectOnce } from '../../src/projection/index.js'
import { writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { requestLog, test, type Workspace } from '../support/workspace.js'

const A = requestLine('a')
const B = requestLine('b')
const today = () => `${new Date().toISOString().slice(0, 10)}.ndjson`

/** Opens the journal as a writer does after a crash, which repairs its tail, and appends. */
async function append(workspace: Workspace, correlationId: string): Promise<void> {
  const journal = openJournal({ directory: workspace.journal })
  journal.append(requestLog({ correlation_id: correlationId }))
  await journal.close()
}

function correlationIds(workspace: Workspace): unknown[] {
  return workspace
    .query('SELECT correlation_id FROM requests ORDER BY id')
    .map((row) => row['correlation_id'])
}

// What stood in the segment, and who did what first: each whole event must be projected exactly once.
const CASES: { name: string; bytes: string; events: string[]; rejected: number }[] = [
  { name: 'a line without its newline', bytes: A, events: ['a'], rejected: 0 },
  { name: 'two events fused on one line', bytes: `${A}${B}\n`, events: ['a', 'b'], rejected: 0 },
  { name: 'two fused events without a newline', bytes: `${A}${B}`, events: ['a', 'b'], rejected: 0 },
  { name: 'an event fused to a fragment', bytes: `${A.slice(0, 40)}${B}\n`, events: ['b'], rejected: 1 },
  {
    name: 'an event fused to almost a whole one',
    bytes: `${A.slice(0, -1)}${B}\n`,
    events: ['b'],
    rejected: 1,
  },
  { name: 'a fragment behind an event', bytes: `${A}${B.slice(0, 60)}\n`, events: ['a'], rejected: 1 },
  {
    name: 'a fragment between two events',
    bytes: `${A}${B.slice(0, 60)}${B}\n`,
    events: ['a', 'b'],
    rejected: 1,
  },
  { name: 'a fragment at the end', bytes: `${A}\n${B.slice(0, 30)}`, events: ['a'], rejected: 1 },
  { name: 'one byte of a line', bytes: `${A}\n{`, events: ['a'], rejected: 1 },
  { name: 'blank lines around an event', bytes: `\n\n${A}\n\n`, events: ['a'], rejected: 0 },
]

describe.each(CASES)('$name', ({ bytes, events, rejected }) => {
  const check = (workspace: Workspace) => {
    expect(correlationIds(workspace)).toEqual([...events, 'new'])
    expect(workspace.query('SELECT * FROM rejected_lines')).toHaveLength(rejected)
  }

  test('the writer repairs first', async ({ workspace }) => {
    writeSegment(workspace.journal, bytes, today())
    await append(workspace, 'new')
    await projectOnce(workspace)
    check(workspace)
  })

  test('the projector looks first', async ({ workspace }) => {
    writeSegment(workspace.journal, bytes, today())
    await projectOnce(workspace)
    await append(workspace, 'new')
    await projectOnce(workspace)
    check(workspace)
  })

  test('another process appends without repairing, then the projector looks', async ({ workspace }) => {
    writeSegment(workspace.journal, bytes, today())
    writeSegment(workspace.journal, `${requestLine('new')}\n`, today())
    await projectOnce(workspace)
    check({ ...workspace })
  })

  test('the segment before is completed by a writer of the next day', async ({ workspace }) => {
    writeSegment(workspace.journal, bytes, '2020-01-01.ndjson')
    await projectOnce(workspace)
    await append(workspace, 'new')
    await projectOnce(workspace)
    check(workspace)
    expect(readFileSync(join(workspace.journal, '2020-01-01.ndjson')).at(-1)).toBe(0x0a)
  })
})

test('an unterminated last line waits, and is projected once it is completed', async ({ workspace }) => {
  writeSegment(workspace.journal, `${A}\n${B.slice(0, 50)}`)
  expect(await projectOnce(workspace)).toMatchObject({ projected: 1, rejected: 0 })
  writeSegment(workspace.journal, B.slice(50))
  expect(await projectOnce(workspace)).toMatchObject({ projected: 0, rejected: 0 })
  writeSegment(workspace.journal, '\n')
  expect(await projectOnce(workspace)).toMatchObject({ projected: 1, rejected: 0 })
})

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { archiveWith } from '../../src/maintenance/archive.js'
import { prune, verify } from '../../src/maintenance/index.js'
import { openDatabase, replay } from '../../src/projection/index.js'
import { projectOnceWith } from '../../src/projection/projector.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { test, type Workspace } from '../support/workspace.js'

const CLOCK = { now: () => Date.parse('2026-11-25T00:00:00.000Z') }
const [FIRST, SECOND] = ['2026-11-20.ndjson', '2026-11-21.ndjson'] as const
const NOTES = 'SELECT * FROM notes ORDER BY 1'

function alter(workspace: Workspace, sql: string): void {
  const database = openDatabase(workspace.database)
  database.exec(sql)
  database.close()
}

/** Three requests in two segments, and a table of the user's that refers to each. */
async function withNotes(workspace: Workspace, reference: string, more = ''): Promise<void> {
  writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')), FIRST)
  writeSegment(workspace.journal, lines(requestLine('c')), SECOND)
  await projectOnceWith(workspace, CLOCK)
  alter(
    workspace,
    `CREATE TABLE notes (request_id INTEGER ${reference}, text TEXT);
     INSERT INTO notes SELECT id, 'of ' || correlation_id FROM requests;
     ${more}`,
  )
}

const ALL = [
  { request_id: 1, text: 'of a' },
  { request_id: 2, text: 'of b' },
  { request_id: 3, text: 'of c' },
]

describe('a replay', () => {
  test.for([
    'REFERENCES requests(id) ON DELETE CASCADE',
    'REFERENCES requests(id)',
    'REFERENCES requests ON DELETE SET NULL',
    'REFERENCES requests(id) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED',
  ])('keeps what a table has that says %s', async (reference, { workspace }) => {
    await withNotes(workspace, reference)
    await replay(workspace)
    expect(workspace.query(NOTES)).toEqual(ALL)
    expect(workspace.query('PRAGMA foreign_key_check')).toEqual([])
    expect(await verify(workspace)).toMatchObject({ problems: [] })
  })

  test('fires no trigger, and leaves all of them as they were', async ({ workspace }) => {
    const triggers = ['DELETE', 'INSERT', 'UPDATE'].map(
      (event) => `CREATE TRIGGER "on ${event}" AFTER ${event} ON requests BEGIN DELETE FROM notes; END;`,
    )
    await withNotes(workspace, '', `${triggers.join('\n')} CREATE VIEW seen AS SELECT id FROM requests;`)
    const schema = "SELECT name, sql FROM sqlite_master WHERE type IN ('trigger', 'view') ORDER BY name"
    const before = workspace.query(schema)
    await replay(workspace)
    expect(workspace.query(NOTES)).toEqual(ALL)
    expect(workspace.query(schema)).toEqual(before)
    expect(workspace.query('SELECT id FROM seen')).toHaveLength(3)
  })

  test.for([
    ['by its id', 'REFERENCES requests(id) ON DELETE CASCADE', ''],
    [
      'by more columns than one',
      '',
      `CREATE UNIQUE INDEX places ON requests(segment_id, byte_offset);
       DROP TABLE notes;
       CREATE TABLE notes (request_id, text, segment_id, byte_offset,
         FOREIGN KEY (segment_id, byte_offset) REFERENCES requests(segment_id, byte_offset));
       INSERT INTO notes SELECT id, 'of ' || correlation_id, segment_id, byte_offset FROM requests`,
    ],
  ] as const)(
    'that would lose a request that a table refers to is refused: %s',
    async ([, reference, more], { workspace }) => {
      await withNotes(workspace, reference, more)
      const before = workspace.query(NOTES)
      rmSync(join(workspace.journal, FIRST))
      await expect(replay({ ...workspace, allowMissing: true })).rejects.toMatchObject({
        code: 'ROWS_REFERRED_TO',
        message: expect.stringContaining('the table "notes"'),
      })
      expect(workspace.query(NOTES)).toEqual(before)
      expect(workspace.query('SELECT id FROM requests')).toHaveLength(3)
      workspace.expectDamage()
      alter(workspace, 'DROP TABLE notes')
      await replay({ ...workspace, allowMissing: true })
      expect(workspace.query('SELECT id FROM requests')).toHaveLength(1)
    },
  )

  test('after which a table would refer to a segment that is gone is refused', async ({ workspace }) => {
    await withNotes(
      workspace,
      '',
      `CREATE TABLE days (segment_id REFERENCES journal_segments(id) ON DELETE CASCADE);
       INSERT INTO days SELECT id FROM journal_segments`,
    )
    rmSync(join(workspace.journal, FIRST))
    await expect(replay({ ...workspace, allowMissing: true })).rejects.toMatchObject({
      code: 'ROWS_REFERRED_TO',
      message: expect.stringContaining('the table "days"'),
    })
    expect(workspace.query('SELECT * FROM days')).toHaveLength(2)
    workspace.expectDamage()
  })

  test('after which an id would be that of another request is refused', async ({ workspace }) => {
    await withNotes(workspace, 'REFERENCES requests(id) ON DELETE CASCADE')
    writeSegment(workspace.journal, lines(requestLine('late')), FIRST)
    await projectOnceWith(workspace, CLOCK)
    await expect(replay(workspace)).rejects.toMatchObject({ code: 'ROWS_REFERRED_TO' })
    expect(workspace.query(NOTES)).toEqual(ALL)
    alter(workspace, 'DELETE FROM notes WHERE request_id > 2')
    await replay(workspace)
    expect(workspace.query(NOTES)).toEqual(ALL.slice(0, 2))
  })
})

describe('a prune', () => {
  test('that a table forbids is refused by its name, and removes nothing', async ({ workspace }) => {
    await withNotes(workspace, 'REFERENCES requests(id)')
    await archiveWith(workspace, { noticeMs: 1, onStep() {} })
    for (const dryRun of [true, false]) {
      await expect(prune({ ...workspace, before: '2026-11-21', dryRun })).rejects.toMatchObject({
        code: 'ROWS_REFERRED_TO',
        message: expect.stringContaining(
          '2 rows of the table "notes" refer to requests that would be removed',
        ),
      })
    }
    expect(workspace.query(NOTES)).toEqual(ALL)
    expect(workspace.query('SELECT * FROM pruned_segments')).toEqual([])
  })

  test('takes what a table says goes with a request', async ({ workspace }) => {
    await withNotes(workspace, 'REFERENCES requests(id) ON DELETE CASCADE')
    await archiveWith(workspace, { noticeMs: 1, onStep() {} })
    await prune({ ...workspace, before: '2026-11-21' })
    expect(workspace.query(NOTES)).toEqual(ALL.slice(2))
    workspace.expectDamage()
  })
})

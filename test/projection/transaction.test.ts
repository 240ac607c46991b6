import SQLite from 'better-sqlite3'
import { describe, expect, vi } from 'vitest'
import { SegmentReader } from '../../src/journal/read/segment-reader.js'
import { openDatabase, projectOnce } from '../../src/projection/index.js'
import { withCatchUp } from '../support/catch-up.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { requestLine } from '../support/lines.js'
import { test } from '../support/workspace.js'

describe('a batch', () => {
  test('that fails in the fold has moved neither rows nor position', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
    await projectOnce(workspace)
    const before = workspace.query('SELECT * FROM journal_segments')

    const database = openDatabase(workspace.database)
    database.exec(`CREATE TRIGGER poison BEFORE INSERT ON requests WHEN NEW.model = 'poison'
      BEGIN SELECT raise(ABORT, 'poisoned'); END`)
    database.close()
    writeSegment(
      workspace.journal,
      lines(requestLine('c'), requestLine('d', { model: 'poison' }), requestLine('e')),
    )
    await expect(projectOnce(workspace)).rejects.toThrow('poisoned')
    expect(workspace.query('SELECT * FROM journal_segments')).toEqual(before)
    expect(workspace.query('SELECT correlation_id FROM requests')).toHaveLength(2)

    const healed = new SQLite(workspace.database)
    healed.exec('DROP TRIGGER poison')
    healed.close()
    await projectOnce(workspace)
    expect(
      workspace.query('SELECT correlation_id AS c FROM requests ORDER BY id').map((row) => row['c']),
    ).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('is refused when somebody else has moved the position', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    await projectOnce(workspace)
    const database = openDatabase(workspace.database)
    database.exec(`CREATE TRIGGER meddle AFTER INSERT ON requests
      BEGIN UPDATE journal_segments SET projected_bytes = projected_bytes + 1; END`)
    writeSegment(workspace.journal, lines(requestLine('b')))
    await expect(projectOnce(workspace)).rejects.toMatchObject({ code: 'POSITION_MOVED' })
    database.exec('DROP TRIGGER meddle')
    database.close()
    expect(workspace.query('SELECT * FROM requests')).toHaveLength(1)
    await projectOnce(workspace)
    expect(workspace.query('SELECT * FROM requests')).toHaveLength(2)
  })

  test('takes no write lock when there is nothing to read', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    await projectOnce(workspace)
    const other = openDatabase(workspace.database)
    other.exec('BEGIN IMMEDIATE')
    expect(await projectOnce(workspace)).toMatchObject({ projected: 0, lines: 0 })
    other.exec('ROLLBACK')
    other.close()
  })
})

const BACKLOGS: [string, number][] = [
  ['line by line', Number.POSITIVE_INFINITY],
  ['in bulk', 0],
]

describe.each(BACKLOGS)('a projector that goes on, %s', (_, backlogFromBytes) => {
  const goOn = () => false
  const ids = 'SELECT correlation_id AS c FROM requests ORDER BY id'

  test('after a failure has kept nothing of it, and lets others write', async ({ workspace }) => {
    const other = openDatabase(workspace.database)
    other.pragma('busy_timeout = 0')
    other.exec(`CREATE TRIGGER poison BEFORE INSERT ON requests WHEN NEW.model = 'poison'
      BEGIN SELECT raise(ABORT, 'poisoned'); END`)
    const poison = requestLine('c', { model: 'poison' })
    writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b'), poison, requestLine('d')))
    await withCatchUp(workspace, { backlogFromBytes }, async (catchUp) => {
      await expect(catchUp.run(goOn)).rejects.toThrow('poisoned')
      other.exec('DROP TRIGGER poison')
      expect(await catchUp.run(goOn)).toMatchObject({ requests: 4 })
    })
    other.close()
    expect(workspace.query(ids).map((row) => row['c'])).toEqual(['a', 'b', 'c', 'd'])
  })

  test('commits nothing that it could not sync', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    await withCatchUp(workspace, { backlogFromBytes }, async (catchUp) => {
      const sync = vi
        .spyOn(SegmentReader.prototype, 'sync')
        .mockRejectedValueOnce(new Error('EIO: i/o error'))
      await expect(catchUp.run(goOn)).rejects.toMatchObject({ code: 'SEGMENT_SYNC_FAILED' })
      expect(workspace.query(ids)).toEqual([])
      sync.mockImplementationOnce(async () => {
        // What was read is synced before anybody can see it.
        expect(workspace.query(ids)).toEqual([])
      })
      await catchUp.run(goOn)
      expect(sync).toHaveBeenCalledTimes(2)
      expect(workspace.query(ids)).toHaveLength(1)
    })
  })
})

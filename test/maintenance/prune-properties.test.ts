import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { archiveWith } from '../../src/maintenance/archive.js'
import { prune, verify } from '../../src/maintenance/index.js'
import { projectOnce, replay } from '../../src/projection/index.js'
import { projectOnceWith } from '../../src/projection/projector.js'
import { openDatabase } from '../../src/store/sqlite/connection/database.js'
import { putEmptyDatabase } from '../support/empty-database.js'
import { writeSegment } from '../support/journal-files.js'
import { findRollupDifferences } from '../support/rollup-checker.js'
import { runs } from '../support/runs.js'
import { query } from '../support/workspace.js'
import { anyOrder, inOrder, type PruneSteps } from './arbitrary-prunes.js'

const CLOCK = { now: () => Date.parse('2026-12-25T00:00:00.000Z') }

function contents(database: string): unknown {
  const segments = 'id, requests, completions, repeated_completions, ambiguous_completions'
  return [
    query(database, 'SELECT * FROM requests ORDER BY id'),
    query(database, 'SELECT * FROM held_completions ORDER BY segment_id, byte_offset'),
    // What a row from before the journal said of its success is known to that row alone, and completions overwrite it.
    query(
      database,
      `SELECT s.segment_id, s.byte_offset, request_id, CASE WHEN r.segment_id IS NOT NULL THEN s.success END AS success
       FROM superseded_completions s JOIN requests r ON r.id = request_id ORDER BY 1, 2`,
    ),
    query(database, 'SELECT * FROM token_ratios ORDER BY policy'),
    query(database, `SELECT ${segments} FROM journal_segments ORDER BY id`),
  ]
}

function expectRollups(path: string): void {
  const database = openDatabase(path)
  try {
    expect(findRollupDifferences(database)).toEqual([])
  } finally {
    database.close()
  }
}

async function check(steps: PruneSteps, isInOrder: boolean): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-property-'))
  const paths = { journal: join(directory, 'journal'), database: join(directory, 'requests.db') }
  putEmptyDatabase(paths.database)
  const segment = (day: number) => `2026-11-${day}.ndjson`
  const project = () => projectOnceWith(paths, CLOCK)
  const cut = async (day: number) => {
    await project()
    await archiveWith(paths, { noticeMs: 1, onStep() {} })
    await prune({ ...paths, before: `2026-11-${day}` })
    expect(await verify(paths)).toMatchObject({ problems: [] })
  }
  try {
    openDatabase(paths.database).exec(
      `INSERT INTO requests (correlation_id, timestamp, model, streaming, latency_ms, success) VALUES
         ('a', '2026-11-01T10:00:00.000Z', 'old', 1, 5, 0), ('a', '2026-11-01T10:00:00.000Z', 'old', 1, 5, 1)`,
    )
    let [day, pruned, archived] = [10, 10, 9]
    writeSegment(paths.journal, '', segment(day))
    for (const step of steps) {
      if (step === 'project') await project()
      else if (step === 'new segment') day = Math.min(30, day + 1)
      else if (typeof step === 'string') writeSegment(paths.journal, step, segment(day))
      else if ('before' in step) {
        pruned = Math.max(pruned, Math.min(day, pruned + (step.before % 3)))
        await cut(pruned)
        archived = day - 1
      } else if (day - 1 > archived) {
        await project()
        writeSegment(paths.journal, step.late, segment(day - 1))
      }
    }
    await cut(Math.max(pruned, day - 1))
    const live = contents(paths.database)
    expectRollups(paths.database)
    await replay(paths)
    expect(await verify(paths)).toMatchObject({ problems: [] })
    if (isInOrder) {
      expect(contents(paths.database)).toEqual(live)
      // Late lines that another order makes of something else don't count again.
      expectRollups(paths.database)
    }
    expect(await projectOnce(paths)).toMatchObject({ lines: 0 })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

test('what a prune leaves is what a replay of the rest gives, and verify finds it right', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(inOrder, { maxLength: 30 }), (steps) => check(steps, true)),
    runs(7),
  )
})

test('after late lines too verify finds what a prune leaves right, and what a replay makes of it', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyOrder, { maxLength: 30 }), (steps) => check(steps, false)),
    runs(7),
  )
})

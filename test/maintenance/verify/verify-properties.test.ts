import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { verify } from '../../../src/maintenance/index.js'
import { projectOnce, replay } from '../../../src/projection/index.js'
import { putEmptyDatabase } from '../../support/empty-database.js'
import { writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { runs } from '../../support/runs.js'
import { inOrder, type Step, withLateLines } from './arbitrary-steps.js'

async function withJournal(
  steps: readonly Step[],
  check: (paths: { journal: string; database: string }) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-property-'))
  const paths = { journal: join(directory, 'journal'), database: join(directory, 'requests.db') }
  putEmptyDatabase(paths.database)
  const segment = (day: number) => `2026-11-${day}.ndjson`
  try {
    let day = 10
    writeSegment(paths.journal, '', segment(day))
    for (const step of steps) {
      if (step === 'project') await projectOnce(paths)
      else if (step === 'replay') await replay(paths)
      else if (step === 'new segment') day = Math.min(30, day + 1)
      else if (typeof step === 'string') writeSegment(paths.journal, step, segment(day))
      else writeSegment(paths.journal, step.late, segment(Math.max(10, day - 1)))
    }
    await projectOnce(paths)
    await check(paths)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

test('whatever was projected, in whatever order it came, is found right', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(withLateLines, async (steps) => {
      await withJournal(steps.flat(), async (paths) => {
        expect(await verify(paths)).toMatchObject({ ok: true, problems: [] })
      })
    }),
    runs(12),
  )
})

test('any byte of what was projected, and any cell of a row, is found when it changes', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(inOrder, fc.nat(), fc.integer({ min: 1, max: 255 }), async (steps, at, change) => {
      await withJournal(['project', `${requestLine('a')}\n`, ...steps], async (paths) => {
        const { journal, database } = paths
        const connection = new SQLite(database)
        const segments = connection
          .prepare('SELECT name, projected_bytes AS bytes FROM journal_segments WHERE projected_bytes > 0')
          .all() as { name: string; bytes: number }[]
        const segment = segments[at % segments.length]
        if (segment === undefined) throw new Error('there is a projected segment')
        const path = join(journal, segment.name)
        const bytes = readFileSync(path)
        const offset = at % segment.bytes
        bytes[offset] = (bytes[offset] ?? 0) ^ change
        writeFileSync(path, bytes)
        expect((await verify(paths)).ok).toBe(false)
        bytes[offset] = (bytes[offset] ?? 0) ^ change
        writeFileSync(path, bytes)
        expect((await verify(paths)).ok).toBe(true)

        const rows = connection.prepare('SELECT * FROM requests').all() as { id: number }[]
        const row = rows[at % rows.length]
        if (row === undefined) throw new Error('there is a row')
        const columns = Object.keys(row).filter((name) => name !== 'id')
        const column = columns[at % columns.length]
        connection.exec(
          `UPDATE requests SET ${column} = CASE WHEN ${column} = 1 THEN 0 ELSE 1 END WHERE id = ${row.id}`,
        )
        connection.close()
        expect({ column, ok: (await verify(paths)).ok }).toEqual({ column, ok: false })
      })
    }),
    runs(12),
  )
})

test('two ids that were swapped are found where the rules allow only one order, whatever came late', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(withLateLines, fc.nat(), fc.nat(), async (steps, one, other) => {
      const requests = [`${requestLine('a')}\n`, 'project', `${requestLine('b')}\n`] as const
      await withJournal([...requests, ...steps.flat()], async (paths) => {
        const connection = new SQLite(paths.database)
        const rows = connection
          .prepare(
            'SELECT id, segment_id FROM requests WHERE segment_id IS NOT NULL ORDER BY segment_id, byte_offset',
          )
          .all() as { id: number; segment_id: number }[]
        const first = rows[one % rows.length]
        const second = rows[other % rows.length]
        if (first === undefined || second === undefined) throw new Error('there are rows')
        const late = connection
          .prepare('SELECT sum(late_lines) FROM journal_segments')
          .pluck()
          .get() as number
        // Within a segment ids ascend; without late lines they do everywhere.
        const isCertain = first.id !== second.id && (late === 0 || first.segment_id === second.segment_id)
        fc.pre(isCertain)
        connection.pragma('foreign_keys = OFF')
        connection.exec(
          `UPDATE requests SET id = -1 WHERE id = ${first.id}; UPDATE requests SET id = ${first.id} WHERE id = ${second.id};
           UPDATE requests SET id = ${second.id} WHERE id = -1`,
        )
        connection.close()
        const { ok, problems } = await verify(paths)
        expect({
          ok,
          isAltered: problems.some(({ kind }) => kind === 'altered' || kind === 'missing'),
        }).toEqual({
          ok: false,
          isAltered: true,
        })
      })
    }),
    runs(8),
  )
})

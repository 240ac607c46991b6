import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import SQLite from 'better-sqlite3'
import { describe, expect } from 'vitest'
import { verify } from '../../src/maintenance/index.js'
import { openDatabase, projectOnce, type ReplayProgress, replay } from '../../src/projection/index.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'
import { test, type Workspace } from '../support/workspace.js'

/** Everything that a replay must give again. */
function contents(workspace: Workspace): unknown {
  return {
    requests: workspace.query('SELECT * FROM requests ORDER BY id'),
    ratios: workspace.query('SELECT * FROM token_ratios ORDER BY policy'),
    sums: workspace.query('SELECT * FROM token_ratio_sums ORDER BY policy'),
    held: workspace.query('SELECT * FROM held_completions ORDER BY segment_id, byte_offset'),
    rejected: workspace.query('SELECT * FROM rejected_lines ORDER BY segment_id, byte_offset'),
    nextId: workspace.query("SELECT seq FROM sqlite_sequence WHERE name = 'requests'"),
    indexes: workspace.query(
      "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
    ),
    segments: workspace
      .query('SELECT * FROM journal_segments ORDER BY id')
      .map((row) => ({ ...row, caught_up_at: null, late_lines: 0 })),
  }
}

const sample = (id: string, output: number) =>
  requestLine(id, { policy: 'chat', streaming: true, input_tokens: 10, output_tokens: output })
const end = (id: string, output: number) =>
  completionLine(id, { input_tokens: 10, output_tokens: output, success: true, stream_duration_ms: 5 })

test('gives the same database', async ({ workspace }) => {
  writeSegment(
    workspace.journal,
    lines(end('h', 1), sample('a', 10), sample('a', 20), end('a', 30), 'garbage'),
  )
  await projectOnce(workspace)
  writeSegment(workspace.journal, lines(sample('h', 2), end('b', 9), end('c', 1)), '2026-11-23.ndjson')
  await projectOnce(workspace)
  writeSegment(
    workspace.journal,
    lines(sample('c', 3), end('a', 40), sample('a', 50), end('c', 5)),
    '2026-11-23.ndjson',
  )
  await projectOnce(workspace)
  const live = contents(workspace)
  expect(await replay(workspace)).toMatchObject({ projected: 11, rejected: 1, lines: 12 })
  expect(contents(workspace)).toEqual(live)
  writeSegment(workspace.journal, lines(sample('z', 3)), '2026-11-23.ndjson')
  await projectOnce(workspace)
  expect(workspace.query('SELECT max(id) AS id FROM requests')).toEqual([{ id: 6 }])
})

test('after late lines reads them in their place, and counts none late', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  writeSegment(workspace.journal, lines(requestLine('b')), '2026-11-23.ndjson')
  await projectOnce(workspace)
  writeSegment(workspace.journal, lines(requestLine('late')))
  await projectOnce(workspace)
  const order = 'SELECT correlation_id AS c FROM requests ORDER BY id'
  expect(workspace.query(order).map((row) => row['c'])).toEqual(['a', 'b', 'late'])
  expect(workspace.query('SELECT late_lines FROM journal_segments')).toEqual([
    { late_lines: 1 },
    { late_lines: 0 },
  ])
  await replay(workspace)
  expect(workspace.query(order).map((row) => row['c'])).toEqual(['a', 'late', 'b'])
  expect(workspace.query('SELECT sum(late_lines) AS late FROM journal_segments')).toEqual([{ late: 0 }])
})

describe('rows that never came from a journal', () => {
  const INSERT =
    "INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success) VALUES (?, '2026-01-01T00:00:00.000Z', 'old', 1, 1)"

  test('keep their ids; ids of the journal start after them', async ({ workspace }) => {
    const database = openDatabase(workspace.database)
    for (const id of ['old-1', 'old-2', 'old-3']) database.prepare(INSERT).run(id)
    // As the sqlx program left it: rows there before this program ever opened the database.
    database.exec('UPDATE unjournaled_requests SET last_id = 3; DELETE FROM requests WHERE id = 3')
    writeSegment(workspace.journal, lines(sample('a', 1), end('old-1', 7), sample('b', 2)))
    await projectOnce(workspace)
    // The old program goes on writing in between.
    database.prepare(INSERT).run('old-4')
    database.close()
    writeSegment(workspace.journal, lines(sample('c', 3), end('old-4', 8)))
    await projectOnce(workspace)
    const live = contents(workspace)
    expect(
      workspace.query('SELECT id, correlation_id AS c, output_tokens AS o FROM requests ORDER BY id'),
    ).toEqual([
      { id: 1, c: 'old-1', o: 7 },
      { id: 2, c: 'old-2', o: null },
      { id: 4, c: 'a', o: 1 },
      { id: 5, c: 'b', o: 2 },
      { id: 6, c: 'old-4', o: 8 },
      { id: 7, c: 'c', o: 3 },
    ])
    await replay(workspace)
    expect(contents(workspace)).toEqual(live)
    await replay(workspace)
    expect(contents(workspace)).toEqual(live)
  })
})

describe('token ratios', () => {
  const absurd = (from: number, n: number) =>
    Array.from({ length: n }, (_, i) =>
      requestLine(`r${from + i}`, { policy: 'p', input_tokens: 7, output_tokens: 6_999_999 - i }),
    )

  test('stay exact where their sum is beyond 2^53', async ({ workspace }) => {
    for (let part = 0; part < 4; part++) {
      writeSegment(workspace.journal, lines(...absurd(part * 2400, 2400)))
      await projectOnce(workspace)
    }
    const live = workspace.query(
      'SELECT CAST(ratio_millionths AS TEXT) AS sum, avg_ratio FROM token_ratio_sums JOIN token_ratios USING (policy)',
    )
    expect(Number(live[0]?.['sum'])).toBeGreaterThan(Number.MAX_SAFE_INTEGER)
    await replay(workspace)
    expect(
      workspace.query(
        'SELECT CAST(ratio_millionths AS TEXT) AS sum, avg_ratio FROM token_ratio_sums JOIN token_ratios USING (policy)',
      ),
    ).toEqual(live)
  })

  test('that were there before the journal count on, live and replayed', async ({ workspace }) => {
    const initial = fileURLToPath(
      new URL('../../migrations/20260203000000_initial_schema.sql', import.meta.url),
    )
    const before = new SQLite(workspace.database)
    before.exec(readFileSync(initial, 'utf8'))
    before.exec("INSERT INTO token_ratios VALUES ('old', 1.5, 7), ('chat', 2.0, 1), ('empty', 3.0, 0)")
    before.close()
    writeSegment(
      workspace.journal,
      lines(requestLine('a', { policy: 'chat', input_tokens: 1, output_tokens: 4 })),
    )
    await projectOnce(workspace)
    const expected = [
      { policy: 'chat', avg_ratio: 3, sample_count: 2 },
      { policy: 'old', avg_ratio: 1.5, sample_count: 7 },
    ]
    expect(workspace.query('SELECT * FROM token_ratios ORDER BY policy')).toEqual(expected)
    await replay(workspace)
    expect(workspace.query('SELECT * FROM token_ratios ORDER BY policy')).toEqual(expected)
    expect(await verify(workspace)).toMatchObject({ ok: true })
    workspace.expectDamage()
  })
})

describe('where the journal lost something', () => {
  test('refuses while rows come from a segment that is gone, unless allowed', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    writeSegment(workspace.journal, lines(requestLine('b')), '2026-11-23.ndjson')
    await projectOnce(workspace)
    rmSync(join(workspace.journal, DAY))
    await expect(replay(workspace)).rejects.toMatchObject({
      code: 'SEGMENT_MISSING',
      message: expect.stringContaining('and 1 row came from it'),
    })
    expect(workspace.query('SELECT * FROM requests')).toHaveLength(2)
    expect(await replay({ ...workspace, allowMissing: true })).toMatchObject({ projected: 1 })
    await projectOnce(workspace)
  })

  test('leaves nothing of a journal whose every segment is gone, if that is allowed', async ({
    workspace,
  }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    await projectOnce(workspace)
    rmSync(join(workspace.journal, DAY))
    expect(await replay({ ...workspace, allowMissing: true })).toMatchObject({ projected: 0 })
    expect(workspace.query('SELECT * FROM requests')).toEqual([])
    expect(workspace.query('SELECT * FROM journal_segments')).toEqual([])
    await projectOnce(workspace)
  })

  test('numbers rows that come later as if those that are gone had never been there', async ({
    workspace,
  }) => {
    const ids = 'SELECT id, correlation_id AS c FROM requests ORDER BY id'
    writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
    writeSegment(workspace.journal, lines(requestLine('c')), '2026-11-23.ndjson')
    await projectOnce(workspace)
    rmSync(join(workspace.journal, DAY))
    await replay({ ...workspace, allowMissing: true })
    writeSegment(workspace.journal, lines(requestLine('d')), '2026-11-23.ndjson')
    await projectOnce(workspace)
    const live = workspace.query(ids)
    expect(live).toEqual([
      { id: 1, c: 'c' },
      { id: 2, c: 'd' },
    ])
    await replay({ ...workspace, allowMissing: true })
    expect(workspace.query(ids)).toEqual(live)
  })

  test('refuses while a line that was projected is damaged', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
    await projectOnce(workspace)
    const path = join(workspace.journal, DAY)
    writeFileSync(path, readFileSync(path, 'utf8').replace('"latency_ms":100', '"latency_ms":900'))
    await expect(replay(workspace)).rejects.toThrow(
      /are not those that were projected: run `request-journal verify`/,
    )
    expect(workspace.query('SELECT * FROM requests')).toHaveLength(2)
    expect(await replay({ ...workspace, allowMissing: true })).toMatchObject({ projected: 1, rejected: 1 })
  })

  test('refuses an archive that no manifest records, with other lines than were projected', async ({
    workspace,
  }) => {
    writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
    await projectOnce(workspace)
    const path = join(workspace.journal, DAY)
    writeFileSync(`${path}.gz`, gzipSync(lines(requestLine('a'))))
    rmSync(path)
    await expect(replay(workspace)).rejects.toMatchObject({ code: 'SEGMENT_REPLACED' })
    expect(workspace.query('SELECT * FROM requests')).toHaveLength(2)
    expect(await replay({ ...workspace, allowMissing: true })).toMatchObject({ projected: 1 })
  })

  test('refuses while a segment is shorter than what was projected', async ({ workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
    await projectOnce(workspace)
    truncateSync(join(workspace.journal, DAY), requestLine('a').length + 1)
    await expect(replay(workspace)).rejects.toMatchObject({ code: 'SEGMENT_TRUNCATED' })
    expect(await replay({ ...workspace, allowMissing: true })).toMatchObject({ projected: 1 })
  })
})

test('a fold of another version is refused, and replayed', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  await projectOnce(workspace)
  const database = new SQLite(workspace.database)
  database.exec("UPDATE projections SET version = 0 WHERE name = 'requests'")
  database.close()
  await expect(projectOnce(workspace)).rejects.toMatchObject({ code: 'PROJECTION_OUTDATED' })
  await replay(workspace)
  await projectOnce(workspace)
})

test('readers keep the old view until it commits, and a failure leaves the old database whole', async ({
  workspace,
}) => {
  writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
  await projectOnce(workspace)
  const before = contents(workspace)
  const seen: unknown[] = []
  const failing = replay({
    ...workspace,
    onProgress: () => {
      seen.push(workspace.query('SELECT count(*) AS n FROM requests')[0]?.['n'])
      throw new Error('killed in the middle')
    },
  })
  await expect(failing).rejects.toThrow('killed in the middle')
  expect(seen).toEqual([2])
  expect(contents(workspace)).toEqual(before)
  await projectOnce(workspace)
})

test('ends where the segments ended when it opened them, however fast lines come', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
  let added = 0
  const onProgress = () => {
    if (added++ < 20) writeSegment(workspace.journal, lines(requestLine(`added-${added}`)))
  }
  expect(await replay({ ...workspace, onProgress })).toMatchObject({ lines: 2 })
  expect(await projectOnce(workspace)).toMatchObject({ lines: added })
})

test('keeps an index that a user has added', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  await projectOnce(workspace)
  const database = new SQLite(workspace.database)
  database.exec('CREATE INDEX "my ""own"" index" ON requests(model)')
  database.close()
  const before = contents(workspace)
  await replay(workspace)
  expect(contents(workspace)).toEqual(before)
})

test('tells its progress', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
  const progress: ReplayProgress[] = []
  await replay({ ...workspace, onProgress: (now) => progress.push(now) })
  const bytes = 2 * (requestLine('a').length + 1)
  expect(progress.at(-1)).toEqual({ bytes, total_bytes: bytes, events: 2 })
})

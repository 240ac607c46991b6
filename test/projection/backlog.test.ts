import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, vi } from 'vitest'
import { SegmentReader } from '../../src/journal/read/segment-reader.js'
import { openDatabase, projectOnce, replay } from '../../src/projection/index.js'
import { MAX_BULK_BYTES } from '../../src/projection/projected-segments.js'
import { projectOnceWith } from '../../src/projection/projector.js'
import { emptyPosition } from '../../src/store/positions.js'
import { isWorthBulk } from '../../src/store/sqlite/bulk-schema.js'
import { withCatchUp } from '../support/catch-up.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'
import { query, test, type Workspace } from '../support/workspace.js'

const NEXT_DAY = '2026-11-23.ndjson'

const inBulk = (workspace: Workspace) => projectOnceWith(workspace, Date, 0)

const requests = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => requestLine(`${name}-${i}`, { policy: 'p', streaming: true }))
const end = (id: string, tokens: number) =>
  completionLine(id, { input_tokens: 1, output_tokens: tokens, success: true })

const TABLES = [
  'requests',
  'token_ratio_sums',
  'held_completions',
  'rejected_lines',
  'rollups',
  'request_counters',
]

function contents(workspace: Workspace): unknown[] {
  return TABLES.map((table) => workspace.query(`SELECT * FROM ${table} ORDER BY 1, 2, 3`))
}

function indexes(workspace: Workspace): unknown[] {
  return workspace.query(
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'requests' ORDER BY name",
  )
}

describe('a backlog that is brought in at once', () => {
  test('gives the database that comes line by line', async ({ workspace }) => {
    const parts = [
      lines(end('a-1', 9), ...requests('a', 20), end('a-2', 8), 'garbage', end('b-1', 7), end('nobody', 1)),
      lines(end('a-3', 6), end('a-3', 5), ...requests('b', 30), end('b-2', 4), end('c-1', 3)),
      lines(requestLine('a-3'), end('a-3', 2), ...requests('c', 40), '', 'more garbage'),
    ]
    const live: Workspace = {
      ...workspace,
      database: join(workspace.directory, 'live.db'),
      query: (sql) => query(live.database, sql),
    }
    const others = { ...workspace, journal: join(workspace.directory, 'live') }
    for (const [i, part] of parts.entries()) {
      const name = i === 2 ? NEXT_DAY : DAY
      writeSegment(workspace.journal, part, name)
      writeSegment(others.journal, part, name)
      await inBulk(workspace)
      await projectOnce({ journal: others.journal, database: live.database })
      expect(contents(workspace)).toEqual(contents(live))
    }
    const before = contents(workspace)
    const indexesBefore = indexes(workspace)
    await replay(workspace)
    expect(contents(workspace).slice(0, 4)).toEqual(before.slice(0, 4))
    expect(indexes(workspace)).toEqual(indexesBefore)
  })

  test('goes across segments and archives, which are then at rest', async ({ workspace }) => {
    for (let day = 10; day < 20; day++)
      writeSegment(workspace.journal, lines(...requests(`d${day}`, 50)), `2026-11-${day}.ndjson`)
    const archive = join(workspace.journal, '2026-11-15.ndjson')
    writeFileSync(`${archive}.gz`, gzipSync(readFileSync(archive)))
    renameSync(archive, join(workspace.directory, 'away'))
    expect(await inBulk(workspace)).toMatchObject({ projected: 500, rejected: 0 })
    expect(await inBulk(workspace)).toMatchObject({ projected: 0, lines: 0 })
    renameSync(join(workspace.directory, 'away'), archive)
    expect(workspace.query('SELECT count(*) AS n FROM journal_segments WHERE caught_up_at IS NULL')).toEqual([
      { n: 0 },
    ])
  })
})

test('a segment that can’t be read keeps back neither the segments before it nor those of a next run', async ({
  workspace,
}) => {
  const archive = join(workspace.journal, `${NEXT_DAY}.gz`)
  const whole = gzipSync(lines(...requests('b', 20)))
  writeSegment(workspace.journal, lines(...requests('a', 20)))
  writeFileSync(archive, whole.subarray(0, whole.length / 2))
  await expect(inBulk(workspace)).rejects.toMatchObject({ code: 'SEGMENT_UNREADABLE' })
  const count = 'SELECT count(*) AS n FROM requests'
  expect(workspace.query(count)).toEqual([{ n: 20 }])
  writeFileSync(archive, whole)
  await inBulk(workspace)
  expect(workspace.query(count)).toEqual([{ n: 40 }])
})

test('rows of another program in between keep their ids, and are completed', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(...requests('a', 3)))
  await inBulk(workspace)
  const database = openDatabase(workspace.database)
  database.exec(`INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success)
    VALUES ('other', '2026-01-01T00:00:00.000Z', 'old', 1, 1)`)
  database.close()
  writeSegment(workspace.journal, lines(requestLine('b'), end('other', 5), requestLine('c')))
  await inBulk(workspace)
  expect(
    workspace.query('SELECT id, correlation_id AS c, output_tokens AS o FROM requests WHERE id > 3'),
  ).toEqual([
    { id: 4, c: 'other', o: 5 },
    { id: 5, c: 'b', o: null },
    { id: 6, c: 'c', o: null },
  ])
  expect(workspace.query("SELECT sum(requests) AS n FROM rollups WHERE grain = 'day'")).toEqual([{ n: 5 }])
})

test('indexes that a user has added or changed are there afterwards', async ({ workspace }) => {
  const database = openDatabase(workspace.database)
  database.exec(`CREATE INDEX "my ""own"" index" ON requests(model) WHERE success = 0;
    DROP INDEX idx_requests_correlation_id;
    CREATE INDEX idx_requests_correlation_id ON requests(correlation_id, id DESC)`)
  database.close()
  const before = indexes(workspace)
  writeSegment(workspace.journal, lines(...requests('a', 30)))
  await inBulk(workspace)
  expect(indexes(workspace)).toEqual(before)
  expect(workspace.query('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
})

test('when it fails neither rows nor positions have moved, and no index is gone', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(end('held', 1), ...requests('a', 5)))
  await inBulk(workspace)
  const database = openDatabase(workspace.database)
  database.exec(`CREATE TRIGGER poison BEFORE INSERT ON requests WHEN NEW.model = 'poison'
    BEGIN SELECT raise(ABORT, 'poisoned'); END`)
  const before = [contents(workspace), indexes(workspace), workspace.query('SELECT * FROM journal_segments')]
  writeSegment(workspace.journal, lines(...requests('b', 25), requestLine('held')), NEXT_DAY)
  writeSegment(workspace.journal, lines(requestLine('d', { model: 'poison' })), '2026-11-24.ndjson')
  await expect(inBulk(workspace)).rejects.toThrow('poisoned')
  expect([
    contents(workspace),
    indexes(workspace),
    workspace.query('SELECT * FROM journal_segments'),
  ]).toEqual(before)
  database.exec('DROP TRIGGER poison')
  database.close()
  expect(await inBulk(workspace)).toMatchObject({ projected: 27 })
  expect(workspace.query("SELECT output_tokens AS o FROM requests WHERE correlation_id = 'held'")).toEqual([
    { o: 1 },
  ])
})

test.for([
  [
    'replaced',
    (path: string) => writeFileSync(path, lines(requestLine('x'), requestLine('y'))),
    'SEGMENT_REPLACED',
  ],
  ['truncated', (path: string) => truncateSync(path, 10), 'SEGMENT_TRUNCATED'],
] as const)(
  'a segment that was %s stops it, and what comes before is projected',
  async ([, damage, code], { workspace }) => {
    writeSegment(workspace.journal, lines(requestLine('a')))
    writeSegment(workspace.journal, lines(requestLine('b')), NEXT_DAY)
    await projectOnce(workspace)
    writeSegment(workspace.journal, lines(...requests('more', 10)))
    damage(join(workspace.journal, NEXT_DAY))
    writeSegment(workspace.journal, lines(requestLine('c')), '2026-11-24.ndjson')
    await expect(inBulk(workspace)).rejects.toMatchObject({ code })
    expect(workspace.query('SELECT count(*) AS n FROM requests')).toEqual([{ n: 12 }])
    workspace.expectDamage()
  },
)

test('a backlog that comes while its segment is followed is projected once', async ({ workspace }) => {
  const goOn = () => false
  writeSegment(workspace.journal, lines(requestLine('a')))
  await withCatchUp(workspace, { backlogFromBytes: 3_000 }, async (catchUp) => {
    expect(await catchUp.run(goOn)).toMatchObject({ requests: 1 })
    writeSegment(workspace.journal, lines(...requests('b', 50)))
    expect(await catchUp.run(goOn)).toMatchObject({ requests: 50 })
    writeSegment(workspace.journal, lines(requestLine('c')))
    expect(await catchUp.run(goOn)).toMatchObject({ requests: 1 })
  })
  expect(workspace.query('SELECT count(*) AS n FROM requests')).toEqual([{ n: 52 }])
})

test.for([
  ['in bulk', 0],
  ['line by line', Number.POSITIVE_INFINITY],
] as const)(
  'lines that come while it reads wait for the next look, %s',
  async ([, fromBytes], { workspace }) => {
    writeSegment(workspace.journal, lines(...requests('a', 5)))
    await withCatchUp(workspace, { backlogFromBytes: fromBytes }, async (catchUp) => {
      const { read } = SegmentReader.prototype
      let added = 0
      vi.spyOn(SegmentReader.prototype, 'read').mockImplementation(async function (this: SegmentReader) {
        const chunk = await read.call(this)
        if (added++ < 20) writeSegment(workspace.journal, lines(requestLine(`added-${added}`)))
        return chunk
      })
      expect(await catchUp.run(() => false)).toMatchObject({ requests: 5 })
      expect(await catchUp.run(() => false)).toMatchObject({ requests: 1 })
    })
  },
)

test('a segment that is an archive in disguise of another stops it too', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
  await projectOnce(workspace)
  rmSync(join(workspace.journal, DAY))
  writeFileSync(
    join(workspace.journal, `${DAY}.gz`),
    gzipSync(lines(requestLine('x'), requestLine('y'), requestLine('z'))),
  )
  await expect(inBulk(workspace)).rejects.toThrow('its bytes differ before byte')
  workspace.expectDamage()
})

test('another writer in the database is an error like any other time', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(requestLine('a')))
  await inBulk(workspace)
  const other = openDatabase(workspace.database)
  other.exec(`CREATE TRIGGER meddle AFTER INSERT ON requests
    BEGIN UPDATE journal_segments SET projected_bytes = projected_bytes + 1; END`)
  writeSegment(workspace.journal, lines(...requests('b', 25)))
  await expect(inBulk(workspace)).rejects.toMatchObject({ code: 'POSITION_MOVED' })
  other.exec('DROP TRIGGER meddle')
  other.close()
  expect(workspace.query('SELECT * FROM requests')).toHaveLength(1)
  await inBulk(workspace)
})

describe('bulk is worth it', () => {
  const MIB = 1024 * 1024
  test.for([
    { waiting: 0, rows: 0, isWorth: false },
    { waiting: 100 * MIB, rows: 0, isWorth: true },
    { waiting: 100 * MIB, rows: 1_000_000, isWorth: true },
    { waiting: 100 * MIB, rows: 1_100_000, isWorth: false },
    { waiting: 100_000 * MIB, rows: 10_000_000, isWorth: true },
    { waiting: 100_000 * MIB, rows: 12_000_000, isWorth: false },
  ])('$waiting bytes beside $rows rows: $isWorth', ({ waiting, rows, isWorth }, { workspace }) => {
    const database = openDatabase(workspace.database)
    database.exec(`INSERT INTO requests (id, correlation_id, timestamp, model, latency_ms, success)
      SELECT ${rows}, 'a', '2026-01-01T00:00:00.000Z', 'm', 1, 1 WHERE ${rows} > 0`)
    const position = emptyPosition(1, DAY, 'j', { device: '1', inode: '1' })
    // 400 bytes a line.
    const counted = { ...position, projectedBytes: 4000, counts: { ...position.counts, lines: 10 } }
    const bytes = Math.min(waiting, MAX_BULK_BYTES)
    expect(isWorthBulk(database, bytes, [counted])).toBe(isWorth)
    expect(isWorthBulk(database, bytes, [])).toBe(isWorth)
    database.close()
  })
})

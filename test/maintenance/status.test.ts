import { execFileSync, spawnSync } from 'node:child_process'
import { appendFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openJournal } from '../../src/index.js'
import { doctor, status, verify } from '../../src/maintenance/index.js'
import { openDatabase, projectOnce } from '../../src/projection/index.js'
import { type Database, openDatabaseReadOnly } from '../../src/store/sqlite/connection/database.js'
import { acquireDatabaseLock } from '../../src/store/sqlite/connection/lock.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'
import { canMountVolumes, makeVolumes } from '../support/mounts.js'
import { requestLog, test } from '../support/workspace.js'

test('without a database its status is null, and everything is lag', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a')))
  const report = await status({ journal, database })
  const bytes = statSync(join(journal, DAY)).size
  expect(report).toStrictEqual({
    journal: {
      journal_id: 'test-journal',
      directory: journal,
      created_at: '2026-11-22T00:00:00.000Z',
      segments: [{ name: DAY, bytes, projected_bytes: 0, archived: false, distrusted: false }],
    },
    database: null,
    lag_bytes: bytes,
    lag_seconds: expect.any(Number),
    problems: [],
  })
})

test('status gives the counts and no lag when everything is projected', async ({ workspace }) => {
  const { journal, database } = workspace
  const unchecked = '{"model":"m","latency_ms":1,"success":true}'
  writeSegment(journal, lines(requestLine('a'), unchecked, 'nonsense', completionLine('never')))
  openDatabase(database).exec(
    `INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success)
     VALUES ('old', '2026-01-01T00:00:00.000Z', 'm', 1, 1)`,
  )
  await projectOnce({ journal, database })
  workspace.expectDamage()
  const report = await status({ journal, database })
  expect(report).toMatchObject({ lag_bytes: 0, lag_seconds: 0 })
  expect(report.database).toStrictEqual({
    path: database,
    requests: 3,
    rejected: 1,
    held: 1,
    repeated_completions: 0,
    ambiguous_completions: 0,
    late_lines: 0,
    unchecked: 1,
    unjournaled: 1,
    to_reprice: 0,
    projector_running: false,
  })
  const [segment] = report.journal.segments
  expect(segment?.projected_bytes).toBe(segment?.bytes)
})

test('lag is what comes after the positions of all segments', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a')))
  await projectOnce({ journal, database })
  const late = lines(requestLine('b'))
  const next = lines(requestLine('c'))
  writeSegment(journal, late)
  writeSegment(journal, next, '2026-11-23.ndjson')
  const report = await status({ journal, database })
  expect(report.lag_bytes).toBe(late.length + next.length)
  workspace.expectDamage()
})

test('an old event that was appended just now has not waited for long', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a', { timestamp: '2020-01-01T00:00:00Z' })))
  // Its file is new, whatever its timestamp says.
  expect((await status({ journal, database })).lag_seconds).toBeLessThan(20)
  await projectOnce({ journal, database })
  appendFileSync(join(journal, DAY), lines(requestLine('b', { timestamp: '2020-01-01T00:00:00Z' })))
  expect((await status({ journal, database })).lag_seconds).toBeLessThan(20)
})

test('new events in a segment that was quiet for long have not waited for long', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a')))
  await projectOnce({ journal, database })
  const connection = openDatabase(database)
  connection.exec(`UPDATE journal_segments SET caught_up_at = '2026-01-01T00:00:00.000Z'`)
  connection.close()
  const segment = join(journal, DAY)
  const expectLag = async (seconds: number) => {
    const { lag_seconds } = await status({ journal, database })
    expect(lag_seconds).toBeGreaterThanOrEqual(seconds)
    expect(lag_seconds).toBeLessThan(seconds + 20)
  }
  // A price has no timestamp: it came when the file changed.
  const ago = (seconds: number) => new Date(Date.now() - seconds * 1000)
  appendFileSync(segment, lines(JSON.stringify({ type: 'price_set' })))
  utimesSync(segment, ago(60), ago(60))
  await expectLag(60)
  // With a request after it, that tells when they came.
  appendFileSync(segment, `\n${lines(requestLine('b', { timestamp: ago(30).toISOString() }))}`)
  await expectLag(30)
})

test.for([
  ['from the future', lines(requestLine('b', { timestamp: '2999-01-01T00:00:00Z' }))],
  ['unfinished', '{"model":'],
  ['damaged', 'nonsense\n'],
  ['over 1 MiB', `${'x'.repeat(1_100_000)}\n`],
] as const)('a line that is %s still gives a lag that is a number', async ([, text], { workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, text)
  const { lag_bytes, lag_seconds } = await status({ journal, database })
  expect(lag_bytes).toBe(text.length)
  expect(lag_seconds).toBeGreaterThanOrEqual(0)
  expect(lag_seconds).toBeLessThan(20)
})

test('distrusted and archived segments are marked; an archived one that is not projected is lag', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a')))
  writeFileSync(join(journal, `${DAY}.distrusted`), '{}')
  writeFileSync(join(journal, '2026-11-20.ndjson.gz'), 'zip')
  const report = await status({ journal, database })
  expect(report.journal.segments).toMatchObject([
    { name: '2026-11-20.ndjson', bytes: 3, archived: true, distrusted: false },
    { name: DAY, archived: false, distrusted: true },
  ])
  expect(report.lag_bytes).toBe(3 + (report.journal.segments[1]?.bytes ?? 0))
  expect(report.problems).toEqual([expect.stringContaining(`${DAY} is distrusted`)])
})

test('status says that a projector is running', async ({ workspace }) => {
  const { journal, database } = workspace
  const writer = openJournal({ directory: journal })
  writer.append(requestLog())
  await writer.close()
  openDatabase(database).close()
  const lock = acquireDatabaseLock(database, 'project')
  expect((await status({ journal, database })).database?.projector_running).toBe(true)
  lock.release()
})

test('a missing journal, and the database of another journal, are errors with a code', async ({
  workspace,
}) => {
  const { journal, database, directory } = workspace
  await expect(status({ journal, database })).rejects.toMatchObject({ code: 'JOURNAL_MISSING' })
  writeSegment(journal, lines(requestLine('a')))
  await projectOnce({ journal, database })
  const other = join(directory, 'other')
  const writer = openJournal({ directory: other })
  await writer.close()
  await expect(status({ journal: other, database })).rejects.toMatchObject({ code: 'OTHER_JOURNAL' })
})

test('status counts without reading the table', ({ workspace }) => {
  const database = openDatabase(workspace.database)
  const plan = database
    .prepare('EXPLAIN QUERY PLAN SELECT count(*) AS n FROM requests WHERE segment_id IS NULL')
    .all()
  database.close()
  expect(JSON.stringify(plan)).toContain('idx_requests_unjournaled')
})

test('a segment that was truncated or is gone is a problem', async ({ workspace }) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a')))
  writeSegment(journal, lines(requestLine('b')), '2026-11-23.ndjson')
  await projectOnce({ journal, database })
  expect((await status({ journal, database })).problems).toEqual([])
  writeFileSync(join(journal, '2026-11-23.ndjson'), '')
  rmSync(join(journal, DAY))
  expect((await status({ journal, database })).problems).toEqual([
    expect.stringMatching(/^2026-11-23\.ndjson has 0 bytes, but \d+ were projected/),
    expect.stringMatching(/^2026-11-22\.ndjson is gone, and \d+ bytes of it were projected/),
  ])
  workspace.expectDamage()
})

test('what stands in for a segment, or is named almost like one, is a problem to status and doctor', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  writeSegment(journal, lines(requestLine('a')))
  await projectOnce({ journal, database })
  execFileSync('mkfifo', [join(journal, '2026-11-20.ndjson')])
  symlinkSync('2026-11-21.ndjson', join(journal, '2026-11-21.ndjson'))
  const nearMisses = [
    '2026-11-20.NDJSON',
    '2026-11-20.ndjson.zst',
    '2026-11-20_000.ndjson',
    '2026-11-20_1.ndjson',
    '2026-13-01.ndjson',
    'requests.jsonl',
  ]
  for (const name of nearMisses) writeFileSync(join(journal, name), lines(requestLine('unread')))
  workspace.expectDamage()
  const { problems, lag_bytes } = await status({ journal, database })
  expect(lag_bytes).toBe(0)
  expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
    '2026-11-20.ndjson',
    '2026-11-21.ndjson',
    ...nearMisses,
  ])
  const { checks } = await doctor({ journal, database })
  const impostors = checks.find(({ check }) => check === 'segment_files')
  expect(impostors).toMatchObject({ level: 'problem', items: [/2026-11-20/, /2026-11-21/].map(match) })
  expect(checks.find(({ check }) => check === 'unread_files')).toMatchObject({ items: nearMisses })
  // A link to itself can't even be looked at.
  expect((await verify({ journal, database })).problems.map(({ kind }) => kind)).toEqual([
    'unreadable',
    'unreadable',
  ])
})

function match(pattern: RegExp): unknown {
  return expect.stringMatching(pattern)
}

test.skipIf(!canMountVolumes)(
  'a full disk is a problem: the journal’s always, the database’s while something waits for it',
  async ({ workspace }) => {
    const volumes = makeVolumes(workspace.directory)
    let reader: Database | undefined
    try {
      volumes.mount('a')
      const onVolume = join(volumes.directory, 'requests.db')
      writeSegment(workspace.journal, lines(requestLine('a')))
      await projectOnce({ journal: workspace.journal, database: onVolume })
      // As a projector or a dashboard has it open: without its -shm file a full disk lets nobody read.
      reader = openDatabaseReadOnly(onVolume)
      writeSegment(join(volumes.directory, 'journal'), lines(requestLine('a')))
      spawnSync('dd', ['if=/dev/zero', `of=${join(volumes.directory, 'fill')}`, 'bs=64k'])
      const problemsOf = async (journal: string, database: string) =>
        (await status({ journal, database })).problems
      expect(await problemsOf(workspace.journal, onVolume)).toEqual([])
      appendFileSync(join(workspace.journal, DAY), `${requestLine('b')}\n`)
      expect(await problemsOf(workspace.journal, onVolume)).toEqual([
        expect.stringContaining(`the disk of ${volumes.directory} is full: nothing new is projected`),
      ])
      const full = join(volumes.directory, 'journal')
      expect(await problemsOf(full, workspace.database)).toEqual([
        expect.stringContaining(`the disk of ${full} is full: writers keep events in memory only`),
      ])
    } finally {
      reader?.close()
      volumes.unmountAll()
    }
  },
)

import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { utcDay } from '../../../src/journal/segments.js'
import { checkFileSystem } from '../../../src/maintenance/doctor/disk.js'
import { type DoctorReport, doctor } from '../../../src/maintenance/doctor/doctor.js'
import { checkLag } from '../../../src/maintenance/doctor/projector.js'
import type { StatusReport } from '../../../src/maintenance/index.js'
import { openDatabase, projectOnce } from '../../../src/projection/index.js'
import { acquireDatabaseLock } from '../../../src/store/sqlite/connection/lock.js'
import { lines, writeSegment as write } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { test, type Workspace } from '../../support/workspace.js'

/** Over, whatever the clock of the machine says. */
const DAY = '2024-11-22.ndjson'

function writeSegment(journal: string, text: string, name = DAY): void {
  write(journal, text, name)
}

/** A healthy journal, whole and projected. */
async function prepare({ journal, database }: Workspace, ...more: string[]): Promise<void> {
  writeSegment(journal, lines(requestLine('a'), ...more))
  chmodSync(join(journal, DAY), 0o600)
  await projectOnce({ journal, database })
}

function findings({ checks }: DoctorReport) {
  return checks.filter(({ level }) => level !== 'ok')
}

function finding(report: DoctorReport, name: string) {
  const found = findings(report).filter(({ check }) => check === name)
  expect(found, `${name} in ${JSON.stringify(findings(report))}`).toHaveLength(1)
  return found[0]
}

test.for<[string, string, 'problem' | 'note', string]>([
  ['a dropped column', 'ALTER TABLE requests DROP COLUMN policy', 'problem', 'column requests.policy'],
  ['a dropped table', 'DROP TABLE token_ratios', 'problem', 'table token_ratios'],
  [
    'a dropped index',
    'DROP INDEX idx_requests_correlation_id',
    'problem',
    'index idx_requests_correlation_id on requests',
  ],
  [
    'a UNIQUE index',
    'CREATE UNIQUE INDEX theirs ON requests(correlation_id)',
    'note',
    'index theirs on requests',
  ],
  [
    'a trigger',
    'CREATE TRIGGER theirs BEFORE INSERT ON requests BEGIN SELECT 1; END',
    'note',
    'trigger theirs on requests',
  ],
  [
    'a column that must have a value',
    "ALTER TABLE requests ADD COLUMN theirs TEXT NOT NULL DEFAULT ''; PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = replace(sql, 'theirs TEXT NOT NULL DEFAULT ''''', 'theirs TEXT NOT NULL') WHERE name = 'requests'",
    'note',
    'column requests.theirs, NOT NULL without a default',
  ],
])('%s is named', async ([, sql, level, item], { workspace }) => {
  await prepare(workspace)
  workspace.expectDamage()
  const database = openDatabase(workspace.database)
  database.unsafeMode(true)
  database.exec(sql)
  database.close()
  expect(finding(await doctor(workspace), 'schema')).toMatchObject({ level, items: [item] })
})

test('requests with more tokens in a part than in the whole are counted, with up to five examples', async ({
  workspace,
}) => {
  const cached = { input_tokens: 10, cache_read_input_tokens: 11 }
  const kept = { cache_creation_input_tokens: 4, cache_creation_1h_input_tokens: 5 }
  const many = Array.from({ length: 6 }, (_, index) => requestLine(`old${index}`, cached))
  const at = { timestamp: '2026-11-22T12:00:00.000Z' }
  await prepare(
    workspace,
    ...many,
    requestLine('two', { ...at, ...cached, ...kept }),
    requestLine('right', { ...at, output_tokens: 5, reasoning_output_tokens: 5 }),
  )
  const { found, items } = finding(await doctor(workspace), 'inconsistent_usage') ?? {}
  expect(found).toBe('7 requests with more tokens in a part than in the whole')
  expect(items).toHaveLength(5)
  expect(items?.slice(0, 2)).toEqual([
    'row 8 (two): cache_read_input_tokens 11 of input_tokens 10, cache_creation_1h_input_tokens 5 of cache_creation_input_tokens 4',
    'row 2 (old0): cache_read_input_tokens 11 of input_tokens 10',
  ])
})

test('about a healthy journal doctor only notes that no projector runs', async ({ workspace }) => {
  await prepare(workspace)
  const files = readdirSync(workspace.journal)
  const report = await doctor(workspace)
  expect(findings(report).map(({ check }) => check)).toEqual(['projector'])
  expect(report).toMatchObject({ healthy: true, problems: 0, notes: 1, journal: workspace.journal })
  const checks = report.checks.map(({ check }) => check)
  expect(new Set(checks)).toEqual(
    new Set([
      'journal',
      'disk_space',
      'temporary_files',
      'schema',
      'file_system',
      'permissions',
      'owner',
      'journal_lock',
      'segment_tails',
      'unknown_members',
      'distrusted_segments',
      'segment_names',
      'unread_files',
      'imports',
      'archives',
      'manifest',
      'missing_segments',
      'watcher',
      'positions',
      'database',
      'wal',
      'rejected_lines',
      'held_completions',
      'completions',
      'unfinished_streams',
      'inconsistent_usage',
      'added_rows',
      'lines',
      'projector',
      'lag',
    ]),
  )
  expect(readdirSync(workspace.journal)).toEqual(files)
})

test('without journal and database doctor finds two problems, and makes neither', async ({ workspace }) => {
  const report = await doctor(workspace)
  expect(report).toMatchObject({ healthy: false, problems: 2, notes: 0 })
  expect(report.checks.map(({ check }) => check)).toEqual(['journal', 'database'])
  expect(readdirSync(workspace.directory)).toEqual([])
})

/** What is damaged after everything was projected, and what has to be found. */
const PROBLEMS: [string, string, RegExp, (workspace: Workspace) => void][] = [
  [
    'journal.json gone',
    'journal',
    /journal\.json is gone/,
    ({ journal }) => unlinkSync(join(journal, 'journal.json')),
  ],
  [
    'a sync failed',
    'distrusted_segments',
    /2024-11-22\.ndjson\.distrusted: at 2026-11-22T10:00:00Z, EIO.*remove the marker/,
    ({ journal }) =>
      writeFileSync(join(journal, `${DAY}.distrusted`), '{"at":"2026-11-22T10:00:00Z","error":"EIO"}'),
  ],
  [
    'a huge marker',
    'distrusted_segments',
    /larger than 4096 bytes/,
    ({ journal }) => writeFileSync(join(journal, `${DAY}.distrusted`), 'x'.repeat(5000)),
  ],
  [
    'a segment of years to come',
    'segment_names',
    /2999-01-01\.ndjson.*request-journal redate/,
    ({ journal }) => writeSegment(journal, '', '2999-01-01.ndjson'),
  ],
  [
    'a segment gone',
    'positions',
    /gone.*redate.*request-journal replay`.*--allow-missing/,
    ({ journal }) => rmSync(join(journal, DAY)),
  ],
  ['a segment truncated', 'positions', /truncated/, ({ journal }) => truncateSync(join(journal, DAY), 10)],
  [
    'a segment replaced',
    'positions',
    /not a faithful copy|not there any more/,
    ({ journal }) => {
      rmSync(join(journal, DAY))
      writeSegment(journal, lines(requestLine('b')))
    },
  ],
  [
    'a segment that is a symbolic link',
    'segment_files',
    /symbolic link/,
    ({ journal, directory }) => {
      renameSync(join(journal, DAY), join(directory, 'elsewhere'))
      symlinkSync(join(directory, 'elsewhere'), join(journal, DAY))
    },
  ],
  [
    'a folder named like a segment',
    'segment_files',
    /directory/,
    ({ journal }) => mkdirSync(join(journal, '2024-11-21.ndjson')),
  ],
  [
    'numbers nearly used up',
    'segment_names',
    /999/,
    ({ journal }) => writeSegment(journal, '', '2024-11-22_950.ndjson'),
  ],
  [
    'everybody may write the directory',
    'permissions',
    /chmod o-w/,
    ({ journal }) => chmodSync(journal, 0o777),
  ],
  [
    'everybody may write a segment',
    'permissions',
    /2024-11-22\.ndjson: 0666/,
    ({ journal, directory }) => {
      for (const path of [directory, journal]) chmodSync(path, 0o755)
      chmodSync(join(journal, DAY), 0o666)
    },
  ],
  ['no database', 'database', /no such database/, ({ database }) => unlinkSync(database)],
  [
    'a database that is none',
    'database',
    /not an SQLite database/,
    ({ database }) => writeFileSync(database, 'x'.repeat(9000)),
  ],
  [
    'a database with damaged pages',
    'database',
    /replay/,
    ({ database }) => {
      const connection = openDatabase(database)
      connection.exec(`UPDATE requests SET model = hex(zeroblob(500000))`)
      connection.pragma('wal_checkpoint(TRUNCATE)')
      const [page] = connection
        .prepare(`SELECT rootpage FROM sqlite_master WHERE name = 'idx_requests_timestamp'`)
        .pluck()
        .all() as number[]
      connection.unsafeMode().pragma('writable_schema = ON')
      connection.exec(
        `UPDATE sqlite_master SET rootpage = ${(page ?? 0) + 2} WHERE name = 'idx_requests_timestamp'`,
      )
      connection.close()
    },
  ],
  [
    'a fold of another version',
    'database',
    /replay/,
    ({ database }) => {
      const connection = openDatabase(database)
      connection.exec(`UPDATE projections SET version = 0`)
      connection.close()
    },
  ],
  [
    'the database of another journal',
    'lag',
    /projected from the journal/,
    ({ journal }) =>
      writeFileSync(join(journal, 'journal.json'), '{"format":1,"journal_id":"other","created_at":""}'),
  ],
  [
    'a broken chain',
    'manifest',
    /broken/,
    ({ journal }) => writeFileSync(join(journal, 'manifest.jsonl'), 'nonsense\n'),
  ],
]

test.for(PROBLEMS)('doctor finds a problem: %s', async ([, name, text, damage], { workspace }) => {
  await prepare(workspace)
  workspace.expectDamage()
  damage(workspace)
  const report = await doctor(workspace)
  const found = finding(report, name)
  expect(found?.level).toBe('problem')
  expect([found?.found, ...(found?.items ?? []), found?.advice].join(' ')).toMatch(text)
  expect(report.healthy).toBe(false)
})

const NOTES: [string, string, RegExp, (workspace: Workspace) => void | Promise<void>][] = [
  [
    'an unfinished line',
    'segment_tails',
    /: 9 bytes/,
    ({ journal }) => appendFileSync(join(journal, DAY), '{"model":'),
  ],
  [
    'a very long one',
    'segment_tails',
    /more than 1 MiB/,
    ({ journal }) => appendFileSync(join(journal, DAY), 'x'.repeat(2 ** 21)),
  ],
  [
    'members that no event has',
    'unknown_members',
    /^2 members that no event has in the last 3 lines .*prompt_tokens: 2 lines latency: 1 line; did they mean latency_ms\?/,
    ({ journal }) => {
      const unknown = { prompt_tokens: 19, ingest: { key: 'a' } }
      const both = [JSON.stringify({ ...unknown, latency: 5 }), JSON.stringify(unknown)]
      appendFileSync(join(journal, DAY), lines(...both))
    },
  ],
  [
    'a segment of tomorrow',
    'segment_names',
    /dated in the future.*clock/,
    ({ journal }) => writeSegment(journal, '', `${utcDay(Date.now() + 86_400_000)}.ndjson`),
  ],
  [
    'lag',
    'lag',
    /not projected.*request-journal project/,
    ({ journal }) => appendFileSync(join(journal, DAY), lines(requestLine('b'))),
  ],
  [
    'everybody may read',
    'permissions',
    /2024-11-22\.ndjson: 0644.*chmod o-r/,
    ({ journal, directory }) => {
      for (const path of [directory, journal]) chmodSync(path, 0o755)
      for (const name of ['journal.json', DAY]) chmodSync(join(journal, name), 0o644)
    },
  ],
  [
    'a projector that was killed',
    'projector',
    /didn't end by itself \(pid 7 /,
    ({ database }) => writeFileSync(`${database}.pid`, '{"pid":7,"hostname":"h","started_at":"s"}'),
  ],
]

test.for(NOTES)('doctor notes: %s', async ([, name, text, change], { workspace }) => {
  await prepare(workspace)
  workspace.expectDamage()
  await change(workspace)
  const report = await doctor(workspace)
  const found = finding(report, name)
  expect(found?.level).toBe('note')
  expect([found?.found, ...(found?.items ?? []), found?.advice].join(' ')).toMatch(text)
  expect(report.healthy).toBe(true)
})

test('completions that wait and lines that were rejected are counted', async ({ workspace }) => {
  await prepare(
    workspace,
    'nonsense',
    'more of it',
    '{"type":"from_later"}',
    completionLine('never logged'),
    requestLine('s', { streaming: true, timestamp: '2024-01-01T00:00:00Z' }),
    requestLine('t', { streaming: true, timestamp: '2024-01-02T00:00:00Z' }),
    requestLine('refused', { streaming: true, success: false, timestamp: '2024-01-02T00:00:00Z' }),
    requestLine('whole', { streaming: true, output_tokens: 5, timestamp: '2024-01-01T00:00:00Z' }),
    completionLine('t', { success: true }),
  )
  writeSegment(workspace.journal, lines(completionLine('late')), '2024-11-20.ndjson')
  await projectOnce(workspace)
  const report = await doctor(workspace)
  expect(finding(report, 'rejected_lines')?.items).toEqual(['not_json: 2', 'unknown_type: 1'])
  expect(finding(report, 'held_completions')?.found).toMatch(/^2 completions .* 2024-11-20\.ndjson$/)
  expect(finding(report, 'unfinished_streams')?.found).toMatch(/^1 stream .* 2024-01-01T00:00:00\.000Z$/)
  expect(finding(report, 'lines')?.found).toContain('1 late')
})

test('rows that another program has added after the journal began are named', async ({ workspace }) => {
  await prepare(workspace)
  expect(findings(await doctor(workspace))).not.toContainEqual(
    expect.objectContaining({ check: 'added_rows' }),
  )
  const database = openDatabase(workspace.database)
  database.exec(
    `INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success)
     VALUES ('x', '2026-11-22T10:00:00.000Z', 'm', 1, 1)`,
  )
  database.close()
  expect(finding(await doctor(workspace), 'added_rows')).toMatchObject({
    level: 'note',
    found: '1 row added by another program: listed, but in no sum',
  })
})

test('a projector that runs is named', async ({ workspace }) => {
  await prepare(workspace)
  const lock = acquireDatabaseLock(workspace.database, 'project')
  const { checks } = await doctor(workspace)
  lock.release()
  const found = checks.find(({ check }) => check === 'projector')
  expect(found).toMatchObject({
    level: 'ok',
    found: expect.stringContaining(`running (pid ${process.pid} on host`),
  })
})

test('a faithful copy of a segment is not a finding', async ({ workspace }) => {
  await prepare(workspace)
  const path = join(workspace.journal, DAY)
  copyFileSync(path, `${path}.copy`)
  renameSync(`${path}.copy`, path)
  expect(findings(await doctor(workspace)).map(({ check }) => check)).toEqual(['projector'])
})

test('files of another owner are noted', async ({ workspace, skip }) => {
  if (process.getuid?.() !== 0) skip('only root can give files away')
  await prepare(workspace)
  chownSync(join(workspace.journal, DAY), 12345, 12345)
  expect(finding(await doctor(workspace), 'owner')?.items).toEqual([`${DAY}: uid 12345`])
  // Two users who share the journal as a group each own the segments that they began.
  chmodSync(workspace.journal, 0o2770)
  for (const name of readdirSync(workspace.journal)) chmodSync(join(workspace.journal, name), 0o660)
  chownSync(join(workspace.journal, DAY), 12345, statSync(workspace.journal).gid)
  expect(findings(await doctor(workspace)).map(({ check }) => check)).toEqual(['projector'])
  for (const path of [workspace.directory, workspace.database]) {
    chownSync(path, 12345, 12345)
    expect(findings(await doctor(workspace)).find(({ check }) => check === 'owner')).toMatchObject({
      ...{ found: `journal: it belongs to root, but ${path} to uid 12345` },
      advice: expect.stringContaining('chown -R'),
    })
    chownSync(path, 0, 0)
  }
})

test('files of a shared folder that its group may not write are noted', async ({ workspace }) => {
  await prepare(workspace)
  chmodSync(workspace.journal, 0o2770)
  for (const name of readdirSync(workspace.journal)) chmodSync(join(workspace.journal, name), 0o660)
  expect(findings(await doctor(workspace)).map(({ check }) => check)).toEqual(['projector'])
  chmodSync(join(workspace.journal, DAY), 0o640)
  expect(finding(await doctor(workspace), 'group')?.items).toEqual([`${DAY}: 0640`])
})

test('doctor says so where no probe can be written', async ({ workspace }) => {
  // A directory that takes no file from anybody, root included.
  const report = await doctor({ journal: '/proc/self/fdinfo', database: workspace.database })
  expect(finding(report, 'watcher')?.found).toMatch(/can't be tested/)
})

test('many doctors at once leave nothing behind', async ({ workspace }) => {
  await prepare(workspace)
  const files = readdirSync(workspace.journal)
  const reports = await Promise.all([doctor(workspace), doctor(workspace), doctor(workspace)])
  for (const report of reports) expect(report.healthy).toBe(true)
  expect(readdirSync(workspace.journal)).toEqual(files)
})

describe('lag', () => {
  const report = (lag_bytes: number, lag_seconds: number, projector_running: boolean) =>
    ({ lag_bytes, lag_seconds, database: { projector_running } }) as StatusReport

  test.for([
    [0, 0, true, 'ok'],
    [10, 59, true, 'ok'],
    [10, 60, true, 'problem'],
    [10, 60, false, 'note'],
    [10, 3599, false, 'note'],
    [10, 3600, false, 'problem'],
  ] as const)('%d bytes for %d s, running %s: %s', ([bytes, seconds, isRunning, level]) => {
    expect(checkLag(report(bytes, seconds, isRunning)).level).toBe(level)
  })
})

test.for([
  [0x6969, 'problem', /NFS/],
  [0xfe534d42, 'problem', /SMB/],
  // As a signed number, which some versions of Node give.
  [0xff534d42 | 0, 'problem', /CIFS/],
  [0x65735546, 'note', /FUSE/],
  [0x01021994, 'note', /memory/],
  [0xef53, 'ok', /not a network/],
  [statfsSync('/').type, 'ok', /not a network/],
] as const)('file system %d: %s', ([type, level, text], { skip }) => {
  if (process.platform !== 'linux') skip('the numbers are of Linux')
  expect(checkFileSystem('journal', type)).toMatchObject({ level, found: expect.stringMatching(text) })
})

test.skipIf(process.getuid?.() !== 0)(
  'a journal on a read-only mount is a problem (needs root, to mount it)',
  async ({ workspace }) => {
    await prepare(workspace)
    execFileSync('mount', ['--bind', workspace.journal, workspace.journal])
    try {
      execFileSync('mount', ['-o', 'remount,bind,ro', workspace.journal])
      const report = await doctor(workspace)
      expect(finding(report, 'watcher')).toMatchObject({
        level: 'problem',
        found: expect.stringContaining('read-only mount'),
      })
    } finally {
      execFileSync('umount', [workspace.journal])
    }
  },
)

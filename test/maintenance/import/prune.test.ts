import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { archiveWith } from '../../../src/maintenance/archive.js'
import { prune, status, verify } from '../../../src/maintenance/index.js'
import { pruneWith } from '../../../src/maintenance/prune.js'
import { projectOnce, replay } from '../../../src/projection/index.js'
import { projectOnceWith } from '../../../src/projection/projector.js'
import { openDatabase } from '../../../src/store/sqlite/connection/database.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { findRollupDifferences } from '../../support/rollup-checker.js'
import { test, type Workspace } from '../../support/workspace.js'
import { importHere } from './support.js'

/** The day of the import, by its own clock. */
const NOW = Date.parse('2026-11-20T12:00:00.000Z')
const LATER = { now: () => Date.parse('2026-12-25T00:00:00.000Z') }

/** A journal with live requests of two days, an import of three days between them, and requests of the day after. */
async function writeJournal({ directory, journal, database }: Workspace): Promise<void> {
  writeSegment(
    journal,
    lines(requestLine('live-1'), requestLine('open', { streaming: true })),
    '2026-11-19.ndjson',
  )
  writeSegment(journal, lines(requestLine('live-2')), '2026-11-20.ndjson')
  const file = join(directory, 'calls.csv')
  const row = (day: string, id: string) => `${id},${day}T10:00:00Z,gpt-4o,100,30`
  const rows = ['2026-10-01', '2026-10-02', '2026-11-01'].flatMap((day) => [
    row(day, `${day}-a`),
    row(day, `${day}-b`),
  ])
  writeFileSync(file, `correlation_id,timestamp,model,latency_ms,stream_duration_ms\n${rows.join('\n')}\n`)
  await importHere({ journal, from: 'csv', file }, { now: () => NOW })
  writeSegment(journal, lines(requestLine('live-3')), '2026-11-20_005.ndjson')
  writeSegment(journal, lines(completionLine('open'), requestLine('live-4')), '2026-11-21.ndjson')
  await projectOnceWith({ journal, database }, LATER)
  await archiveWith({ journal, database }, { noticeMs: 1, onStep() {} })
}

const rows = ({ query }: Workspace) =>
  query('SELECT id, correlation_id FROM requests ORDER BY id').map(
    (row) => `${row['id']} ${row['correlation_id']}`,
  )

/** Checks what must hold after each prune. */
async function expectSound(workspace: Workspace): Promise<void> {
  const { journal, database, query } = workspace
  const contents = () => [
    query('SELECT * FROM requests ORDER BY id'),
    query('SELECT * FROM held_completions'),
    query('SELECT id, requests, completions FROM journal_segments ORDER BY id'),
    query("SELECT seq FROM sqlite_sequence WHERE name = 'requests'"),
  ]
  expect(await verify({ journal, database })).toMatchObject({ problems: [] })
  expect(await status({ journal, database })).toMatchObject({ problems: [], lag_bytes: 0 })
  const live = contents()
  await replay({ journal, database })
  expect(contents()).toEqual(live)
  expect(await verify({ journal, database })).toMatchObject({ problems: [] })
  expect(await projectOnce({ journal, database })).toMatchObject({ lines: 0 })
  const opened = openDatabase(database)
  try {
    expect(findRollupDifferences(opened)).toEqual([])
  } finally {
    opened.close()
  }
}

const LEFT = ['10 live-3', '11 live-4']

test('imported requests go by their own days, although live ones from before the import stay', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  workspace.expectDamage()
  await writeJournal(workspace)
  expect(rows(workspace)).toHaveLength(11)
  const dry = await prune({ journal, database, before: '2026-10-02', dryRun: true })
  expect(dry).toMatchObject({ rows: 2, segments: ['2026-11-20_002.ndjson'], left: [] })
  const first = await prune({ journal, database, before: '2026-10-02' })
  expect(first).toMatchObject({
    rows: 2,
    segments: ['2026-11-20_002.ndjson'],
    left: [],
    replays_from: '2026-11-19.ndjson',
  })
  expect(readdirSync(journal)).not.toContain('2026-11-20_002.ndjson.gz')
  expect(rows(workspace).slice(0, 4)).toEqual(['1 live-1', '2 open', '3 live-2', '6 2026-10-02-a'])
  await expectSound(workspace)

  const again = { journal, from: 'csv', file: join(workspace.directory, 'calls.csv') } as const
  expect(await importHere(again)).toMatchObject({
    already_imported: true,
    segments: { length: 3 },
    segments_gone: 1,
  })

  expect(await prune({ journal, database, before: '2026-11-10' })).toMatchObject({ rows: 4, left: [] })
  expect(rows(workspace)).toEqual(['1 live-1', '2 open', '3 live-2', ...LEFT])
  await expectSound(workspace)

  // The segment before the import: the ids of the import are passed by a replay all the same.
  expect(await prune({ journal, database, before: '2026-11-20' })).toMatchObject({ rows: 2, left: [] })
  expect(rows(workspace)).toEqual(['3 live-2', ...LEFT])
  await expectSound(workspace)

  expect(await prune({ journal, database, before: '2026-11-21' })).toMatchObject({ rows: 2, left: [] })
  expect(rows(workspace)).toEqual(['11 live-4'])
  expect(workspace.query('SELECT * FROM pruned_imports')).toEqual([])
  await expectSound(workspace)
})

test('requests that come after pruned ones of the end get the ids that a replay gives them', async ({
  workspace,
}) => {
  const { directory, journal, database } = workspace
  workspace.expectDamage()
  writeSegment(journal, lines(requestLine('live-1')), '2026-11-20.ndjson')
  const file = join(directory, 'calls.csv')
  writeFileSync(file, 'correlation_id,timestamp,model,latency_ms\nold,2026-10-01T00:00:00Z,gpt-4o,5\n')
  await importHere({ journal, from: 'csv', file }, { now: () => NOW })
  await projectOnce({ journal, database })
  expect(await prune({ journal, database, before: '2026-11-01' })).toMatchObject({ rows: 1 })
  await expectSound(workspace)
  writeSegment(journal, lines(requestLine('live-2')), '2026-11-20_003.ndjson')
  await projectOnce({ journal, database })
  expect(rows(workspace)).toEqual(['1 live-1', '3 live-2'])
  await expectSound(workspace)
  // The same file was imported before, also where its requests are gone.
  expect(await importHere({ journal, from: 'csv', file })).toMatchObject({ already_imported: true })
})

test.for(['marked', 'batch', 'rows', 'recorded', 'removed'] as const)(
  'a prune of imported requests that is killed after %s is finished by the next',
  async (step, { workspace }) => {
    const { journal, database } = workspace
    workspace.expectDamage()
    await writeJournal(workspace)
    const killed = pruneWith({ journal, database, before: '2026-11-10' }, (done) => {
      if (done === step) throw new Error('killed')
    })
    await expect(killed).rejects.toThrow('killed')
    await projectOnce({ journal, database })
    await prune({ journal, database, before: '2026-11-10' })
    expect(rows(workspace)).toEqual(['1 live-1', '2 open', '3 live-2', ...LEFT])
    await expectSound(workspace)
  },
)

test('an imported segment that a completion connects with another one stays until those before it go', async ({
  workspace,
}) => {
  const { directory, journal, database } = workspace
  writeSegment(journal, lines(requestLine('live-1')), '2026-11-20.ndjson')
  const file = join(directory, 'calls.csv')
  writeFileSync(file, 'correlation_id,timestamp,model,latency_ms\nshared,2026-10-01T00:00:00Z,gpt-4o,5\n')
  await importHere({ journal, from: 'csv', file }, { now: () => NOW })
  writeSegment(journal, lines(completionLine('shared')), '2026-11-20_003.ndjson')
  await projectOnce({ journal, database })
  expect(await prune({ journal, database, before: '2026-11-01' })).toMatchObject({
    rows: 0,
    left: [{ segment: '2026-11-20_002.ndjson', reason: 'behind_another' }],
  })
})

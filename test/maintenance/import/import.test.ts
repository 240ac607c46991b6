import { execFileSync, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { describe, expect } from 'vitest'
import { lagText } from '../../../src/cli/run/lag-note.js'
import { openJournal } from '../../../src/index.js'
import { readManifest } from '../../../src/journal/chain/manifest.js'
import { archiveWith } from '../../../src/maintenance/archive.js'
import { doctor, listImports, status, undoImport, verify } from '../../../src/maintenance/index.js'
import { projectOnce, replay, startProjector } from '../../../src/projection/index.js'
import { openDatabaseReadOnly } from '../../../src/queries/open-database.js'
import { acquireDatabaseLock } from '../../../src/store/sqlite/connection/lock.js'
import { lines } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { requestLog, test, type Workspace } from '../../support/workspace.js'
import { importHere } from './support.js'

const DAY_MS = 86_400_000

const columns = 'request_id,spend,prompt_tokens,completion_tokens,startTime,endTime,completionStartTime,model'

/** Writes an export of so many days before a day, two requests each, the newest first; one of them is a stream. */
function writeExport(
  { directory }: Workspace,
  days: number,
  name = 'spend.csv',
  last = '2026-06-30',
): string {
  const file = join(directory, name)
  const rows = Array.from({ length: days }, (_, back) => {
    const day = new Date(Date.parse(last) - back * DAY_MS).toISOString().slice(0, 10)
    return [
      `${name}-${day}-b,0.002,20,10,${day} 12:00:00,${day} 12:00:01,${day} 12:00:00.5,gpt-4o`,
      `${name}-${day}-a,0.001,10,5,${day} 06:00:00,${day} 06:00:01,,gpt-4o`,
    ].join('\n')
  })
  writeFileSync(file, `${columns}\n${rows.join('\n')}\n`)
  return file
}

const ids = ({ query }: Workspace) =>
  query('SELECT correlation_id FROM requests ORDER BY id').map(({ correlation_id }) => String(correlation_id))

const contents = ({ query }: Workspace) => [
  query('SELECT * FROM requests ORDER BY id'),
  query('SELECT id, requests, completions, late_lines FROM journal_segments ORDER BY id'),
]

async function expectSound({ journal, database }: Workspace): Promise<void> {
  expect(await verify({ journal, database })).toMatchObject({ problems: [] })
  expect(await status({ journal, database })).toMatchObject({ problems: [], lag_bytes: 0 })
}

test('each UTC day becomes a segment, archived and sealed from the beginning, and a replay gives the same rows', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  const file = writeExport(workspace, 3)
  const result = await importHere({ journal, from: 'litellm', file })
  expect(result).toMatchObject({ requests: 6, rejected: 0, totals: { cost_usd: '0.009' } })
  expect(result.segments).toHaveLength(3)
  expect(workspace.segments()).toEqual([])
  expect(readdirSync(journal).filter((name) => name.startsWith('.'))).toEqual([])
  await projectOnce({ journal, database })
  expect(ids(workspace)[0]).toBe('spend.csv-2026-06-28-b')
  await expectSound(workspace)
  const live = contents(workspace)
  await replay({ journal, database })
  expect(contents(workspace)).toEqual(live)
  await expectSound(workspace)
})

test('a second run of the same file adds nothing, and one with other options is refused', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  const file = writeExport(workspace, 3)
  const first = await importHere({ journal, from: 'litellm', file })
  const second = await importHere({ journal, from: 'litellm', file })
  expect(second).toMatchObject({
    already_imported: true,
    rows: 0,
    segments: first.segments,
    import_id: first.import_id,
  })
  await expect(
    importHere({ journal, from: 'litellm', file, timezone: 'Europe/Berlin' }),
  ).rejects.toMatchObject({
    code: 'IMPORTED_OTHERWISE',
    message: expect.stringContaining(
      `with other options (now --timezone Europe/Berlin, then none), so its requests would be in the journal twice: if the earlier options were wrong, take that import out first (\`request-journal import --undo ${first.import_id.slice(0, 8)}\``,
    ),
  })
  await projectOnce({ journal, database })
  expect(ids(workspace)).toHaveLength(6)
})

test('a dry run writes nothing, and shows the first ten requests', async ({ workspace }) => {
  const { journal } = workspace
  const result = await importHere({ journal, from: 'litellm', file: writeExport(workspace, 9), dryRun: true })
  expect(result).toMatchObject({ dry_run: true, requests: 18, segments: [], journal_id: null })
  expect(result.events).toHaveLength(10)
  expect(existsSync(journal)).toBe(false)
})

test('more days than an import has segments share segments', async ({ workspace }) => {
  const { journal, database } = workspace
  const result = await importHere(
    { journal, from: 'litellm', file: writeExport(workspace, 8) },
    { maxParts: 3 },
  )
  expect(result).toMatchObject({ requests: 16 })
  expect(result.segments).toHaveLength(3)
  await projectOnce({ journal, database })
  expect(workspace.query('SELECT count(*) AS n, sum(id = 1) AS first FROM requests')).toEqual([
    { n: 16, first: 1 },
  ])
  await expectSound(workspace)
})

test('imports of many days one after the other leave each other numbers, and a dry run says when none are left', async ({
  workspace,
}) => {
  const { journal, directory } = workspace
  // It leaves 29 numbers.
  mkdirSync(journal)
  const today = new Date().toISOString().slice(0, 10)
  await openJournal({ directory: journal }).close()
  writeFileSync(join(journal, `${today}_870.ndjson`), '')
  const counts: number[] = []
  for (const month of ['06', '07', '08', '09']) {
    const file = writeExport(workspace, 16, `${month}.csv`, `2026-${month}-28`)
    counts.push((await importHere({ journal, from: 'litellm', file })).segments.length)
  }
  expect(counts).toEqual([8, 8, 4, 1])
  rmSync(join(journal, `${today}_870.ndjson`))
  writeFileSync(join(journal, `${today}_899.ndjson`), '')
  const file = writeExport({ ...workspace, directory }, 1, 'later.csv', '2026-10-01')
  await expect(importHere({ journal, from: 'litellm', file, dryRun: true })).rejects.toMatchObject({
    code: 'SEGMENTS_EXHAUSTED',
    message: expect.stringContaining('the import needs 1 segment, and'),
  })
})

test('requests that another import has brought, or that the file has twice, are counted and not added again', async ({
  workspace,
}) => {
  const { journal, database, directory } = workspace
  const first = writeExport(workspace, 3)
  await importHere({ journal, from: 'litellm', file: first })
  // The same table as JSON, with two requests more, one of them twice.
  const [header = '', ...rows] = readFileSync(first, 'utf8').trim().split('\n')
  rows.push(
    ...['new-1', 'new-2', 'new-2'].map((id) => `${id},,7,7,2026-06-29 10:00:00,2026-06-29 10:00:01,,gpt-4o`),
  )
  rows[0] = rows[0]?.replace('0.002', '0.5') ?? ''
  const names = header.split(',')
  const objects = rows.map((row) =>
    JSON.stringify(Object.fromEntries(row.split(',').map((value, at) => [names[at], value]))),
  )
  const second = join(directory, 'spend.jsonl')
  writeFileSync(second, objects.join('\n'))
  const options = { journal, from: 'litellm', file: second, set: { 'labels.source': 'litellm' } } as const
  const expected = {
    rows: 9,
    requests: 2,
    event_count: 2,
    already_there: 6,
    already_there_differing: 1,
    already_there_totals: { input_tokens: 90, cost_usd: '0.507' },
    repeated: 1,
    repeated_differing: 0,
    totals: { input_tokens: 14 },
  }
  expect(await importHere({ ...options, dryRun: true })).toMatchObject(expected)
  expect(await importHere(options)).toMatchObject({ ...expected, segments: { length: 1 } })
  expect(await importHere({ ...options, dryRun: true })).toMatchObject({
    already_imported: true,
    requests: 0,
  })
  await projectOnce({ journal, database })
  expect(new Set(ids(workspace)).size).toBe(8)
  expect(ids(workspace)).toHaveLength(8)
  // Nothing of it is new, so that nothing is added.
  writeFileSync(second, objects.slice(0, 6).join('\n'))
  expect(await importHere(options)).toMatchObject({ requests: 0, already_there: 6, segments: [] })
  await expectSound(workspace)
})

test('the last import can be taken out without a trace, and made again otherwise', async ({ workspace }) => {
  const { journal, database } = workspace
  workspace.expectDamage()
  await importHere({ journal, from: 'litellm', file: writeExport(workspace, 2, 'good.csv', '2026-05-30') })
  const file = writeExport(workspace, 2)
  const manifest = join(journal, 'manifest.jsonl')
  const before = readFileSync(manifest)
  const { segments, import_id } = await importHere({ journal, from: 'litellm', file })
  await projectOnce({ journal, database })
  const undo = import_id.slice(0, 8)
  expect(() => undoImport({ journal, undo: '' })).toThrow("undo: found '', expected the id of an import")
  const expected = { undone: { import_id, segments, requests: 4 }, is_manifest_restored: true }
  expect(undoImport({ journal, undo, dryRun: true })).toMatchObject({ dry_run: true, ...expected })
  const projector = acquireDatabaseLock(database, 'project')
  expect(() => undoImport({ journal, undo, database })).toThrow(
    /a projector \(pid .* is already working on this database: stop it first/,
  )
  projector.release()
  // One that was killed has removed a part of them.
  rmSync(join(journal, `${segments[0]}.gz`))
  expect(undoImport({ journal, undo, database })).toMatchObject({ dry_run: false, ...expected })
  expect(readFileSync(manifest)).toEqual(before)
  expect(() => undoImport({ journal, undo })).toThrow(/that is there.*: \w{8} of good\.csv$/)
  const opened = openDatabaseReadOnly(database)
  expect(await lagText(opened, { database, journal })).toMatch(
    /^note: 2 segments that are projected are gone from the journal, .* `request-journal replay --allow-missing`/,
  )
  opened.close()
  await replay({ journal, database, allowMissing: true })
  expect(listImports({ journal }).map((it) => it.file)).toEqual(['good.csv'])
  await expectSound(workspace)
  await importHere({ journal, from: 'litellm', file, set: { 'labels.source': 'litellm' } })
  await projectOnce({ journal, database })
  expect(ids(workspace)).toHaveLength(8)
  await expectSound(workspace)
})

test('an import that isn’t the last can be taken out and made again, and verify counts what was accepted as gone', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  workspace.expectDamage()
  const file = writeExport(workspace, 2)
  const { segments, import_id } = await importHere({ journal, from: 'litellm', file })
  await importHere({ journal, from: 'litellm', file: writeExport(workspace, 1, 'later.csv') })
  await projectOnce({ journal, database })
  rmSync(join(journal, `${segments[0]}.gz`))
  const otherwise = importHere({ journal, from: 'litellm', file, timezone: 'Europe/Berlin' })
  await expect(otherwise).rejects.toMatchObject({ code: 'IMPORTED_OTHERWISE' })
  const undone = undoImport({ journal, undo: import_id })
  expect(undone).toMatchObject({ is_manifest_restored: false, undone: { segments } })
  expect(() => undoImport({ journal, undo: import_id })).toThrow(
    /whose segments are gone already, .*: \w{8} of later\.csv$/,
  )
  expect(readManifest(journal).entries).toHaveLength(6)
  const again = await importHere({ journal, from: 'litellm', file })
  expect(again).toMatchObject({ already_imported: false, requests: 4, import_id })
  expect(await importHere({ journal, from: 'litellm', file })).toMatchObject({ segments: again.segments })
  expect(listImports({ journal })).toMatchObject([
    { file: 'spend.csv', requests: 4, segments: again.segments, segments_gone: 0 },
    { file: 'later.csv' },
  ])
  await replay({ journal, database, allowMissing: true })
  expect(ids(workspace)).toHaveLength(6)
  expect(await verify({ journal, database })).toMatchObject({ ok: true, accepted_missing: 2 })
  expect(await verify({ journal })).toMatchObject({
    ok: false,
    problems: [{ kind: 'gone' }, { kind: 'gone' }],
  })
})

test('an import whose segments were restored as plain files isn’t taken out while they are, nor with lines that were appended to them', async ({
  workspace,
}) => {
  const { journal, database } = workspace
  const { segments, import_id } = await importHere({
    journal,
    from: 'litellm',
    file: writeExport(workspace, 1),
  })
  const [name] = segments as [string]
  // As `restore` does.
  writeFileSync(join(journal, name), gunzipSync(readFileSync(join(journal, `${name}.gz`))))
  rmSync(join(journal, `${name}.gz`))
  expect(() => undoImport({ journal, undo: import_id })).toThrow(
    new RegExp(`found ${name} as a plain file, .*: run .request-journal archive. first`),
  )
  appendFileSync(join(journal, name), lines(requestLine('gateway')))
  writeFileSync(join(journal, `${name.slice(0, 10)}_900.ndjson`), '')
  await projectOnce({ journal, database })
  await archiveWith({ journal, database }, { noticeMs: 1, onStep() {} })
  expect(() => undoImport({ journal, undo: import_id })).toThrow(
    /bytes in .* that were appended after the import, .* would be lost$/,
  )
  expect(gunzipSync(readFileSync(join(journal, `${name}.gz`))).toString()).toContain('gateway')
  await expectSound(workspace)
})

test('an import that finds too few numbers of its day changes nothing', async ({ workspace }) => {
  const { journal } = workspace
  mkdirSync(journal)
  const opened = openJournal({ directory: journal })
  await opened.close()
  const today = new Date().toISOString().slice(0, 10)
  writeFileSync(join(journal, `${today}_899.ndjson`), '')
  const before = readdirSync(journal)
  await expect(
    importHere({ journal, from: 'litellm', file: writeExport(workspace, 2) }),
  ).rejects.toMatchObject({
    code: 'SEGMENTS_EXHAUSTED',
  })
  const side = (name: string) => name.startsWith('journal.json.')
  expect(readdirSync(journal).filter((name) => !side(name))).toEqual(before)
})

describe('a kill', () => {
  const program = fileURLToPath(new URL('kill.mjs', import.meta.url))

  test.for([
    ['spooled', 1],
    ['staged', 1],
    ['linked', 1],
    ['linked', 3],
    ['noticed', 1],
    ['recorded', 1],
    ['recorded', 3],
  ] as const)(
    'after %s (%i) and a second run leave each event exactly once',
    async ([step, count], { workspace }) => {
      const { journal, database } = workspace
      const file = writeExport(workspace, 3)
      const { signal } = spawnSync(process.execPath, [program, journal, file, step, String(count)])
      expect(signal).toBe('SIGKILL')
      const { checks } = await doctor({ journal, database })
      expect(checks.find(({ check }) => check === 'imports')).toMatchObject({
        level: 'note',
        found: '1 import under way, or interrupted',
      })
      const second = await importHere({ journal, from: 'litellm', file })
      expect(second.segments).toHaveLength(3)
      expect(second.finished).toEqual(step === 'spooled' ? [] : [second.import_id])
      expect(await importHere({ journal, from: 'litellm', file })).toMatchObject({
        already_imported: true,
        finished: [],
      })
      await projectOnce({ journal, database })
      expect(new Set(ids(workspace)).size).toBe(6)
      expect(ids(workspace)).toHaveLength(6)
      expect(readdirSync(journal).filter((name) => name.startsWith('.'))).toEqual([])
      await expectSound(workspace)
    },
  )

  test.for([
    ['linked', 1],
    ['noticed', 1],
    ['recorded', 1],
  ] as const)(
    'after %s (%i), a copy without hard links and a second run in it leave each event exactly once',
    async ([step, count], { workspace }) => {
      const { journal, database } = workspace
      const original = `${journal}.original`
      const file = writeExport(workspace, 3)
      spawnSync(process.execPath, [program, original, file, step, String(count)])
      cpSync(original, journal, { recursive: true })
      const second = await importHere({ journal, from: 'litellm', file })
      expect(second).toMatchObject({ already_imported: true, finished: [second.import_id] })
      await projectOnce({ journal, database })
      expect(new Set(ids(workspace)).size).toBe(6)
      expect(ids(workspace)).toHaveLength(6)
      await expectSound(workspace)
    },
  )
})

describe('beside writers', () => {
  test('lines that a writer adds before it has noticed the import are projected before it, and none is late', async ({
    workspace,
  }) => {
    const { journal, database } = workspace
    const writer = openJournal({ directory: journal })
    writer.append(requestLog({ correlation_id: 'live-1' }))
    const projector = await startProjector({
      journal,
      database,
      logger: { info() {}, warn() {}, error() {} } as never,
    })
    await importHere(
      { journal, from: 'litellm', file: writeExport(workspace, 2) },
      {
        // Longer than a projector and a writer take to look.
        noticeMs: 2500,
        onStep(step) {
          if (step === 'linked') writer.append(requestLog({ correlation_id: 'live-2' }))
        },
      },
    )
    writer.append(requestLog({ correlation_id: 'live-3' }))
    await writer.close()
    await projector.stop()
    await projectOnce({ journal, database })
    const all = ids(workspace)
    expect(all.filter((id) => id.startsWith('live'))).toEqual(['live-1', 'live-2', 'live-2', 'live-3'])
    expect(all.indexOf('live-3')).toBe(all.length - 1)
    expect(workspace.query('SELECT sum(late_lines) AS late FROM journal_segments')).toEqual([{ late: 0 }])
    const live = contents(workspace)
    await replay({ journal, database })
    expect(contents(workspace)).toEqual(live)
    await expectSound(workspace)
  })

  test('a writer that takes the number of a segment keeps it, and the import takes another one', async ({
    workspace,
  }) => {
    const { journal, database } = workspace
    let taken = ''
    const { segments } = await importHere(
      { journal, from: 'litellm', file: writeExport(workspace, 2) },
      {
        onStep(step) {
          if (step !== 'noticed' || taken !== '') return
          const archive = readdirSync(journal).find((name) => name.endsWith('.gz')) ?? ''
          taken = archive.replace('.gz', '')
          writeFileSync(join(journal, taken), lines(requestLine('live')))
        },
      },
    )
    expect(segments).toHaveLength(2)
    expect(segments).not.toContain(taken)
    await projectOnce({ journal, database })
    expect(ids(workspace)).toHaveLength(5)
    expect(new Set(ids(workspace)).size).toBe(5)
    await expectSound(workspace)
  })

  test('a writer goes on in a segment of its own after the import', async ({ workspace }) => {
    const { journal, database } = workspace
    const first = openJournal({ directory: journal })
    first.append(requestLog({ correlation_id: 'before' }))
    await first.close()
    const { segments } = await importHere({ journal, from: 'litellm', file: writeExport(workspace, 2) })
    const second = openJournal({ directory: journal })
    second.append(requestLog({ correlation_id: 'after' }))
    await second.close()
    expect(workspace.segments().at(-1) ?? '').toMatch(/_004\.ndjson$/)
    expect(segments.map((name) => name.slice(10))).toEqual(['_002.ndjson', '_003.ndjson'])
    await projectOnce({ journal, database })
    expect(ids(workspace).at(0)).toBe('before')
    expect(ids(workspace).at(-1)).toBe('after')
    const result = await archiveWith({ journal, database }, { noticeMs: 1, onStep() {} })
    expect(result.skipped.map(({ reason }) => reason)).toEqual(['not_sealed', 'newest'])
    await expectSound(workspace)
  })
})

test('the manifest tells of each segment where its events are from', async ({ workspace }) => {
  const { journal } = workspace
  const { segments, import_id } = await importHere({
    journal,
    from: 'litellm',
    file: writeExport(workspace, 1),
  })
  const { entries } = readManifest(journal)
  expect(entries).toMatchObject([
    {
      kind: 'sealed',
      segment: segments[0],
      lines: 3,
      import: {
        id: import_id,
        options: '--from litellm',
        file: 'spend.csv',
        requests: 2,
        part: 1,
        parts: 1,
        first: '2026-06-30T06:00:00.000Z',
        last: '2026-06-30T12:00:00.000Z',
      },
    },
    { kind: 'archived', segment: segments[0], lines: 3 },
  ])
  const hash = execFileSync('sh', ['-c', `gzip -dc ${segments[0]}.gz | sha256sum`], {
    cwd: journal,
    encoding: 'utf8',
  })
  expect(hash.slice(0, 64)).toBe(entries[0]?.sha256)
})

import { createHash } from 'node:crypto'
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import SQLite from 'better-sqlite3'
import { expect } from 'vitest'
import { Sums } from '../../../src/folds/sums/sums.js'
import { MANIFEST_FILE, ManifestFile, type NewManifestEntry } from '../../../src/journal/chain/manifest.js'
import { verify } from '../../../src/maintenance/index.js'
import { projectOnce } from '../../../src/projection/index.js'
import { rollupLabels } from '../../../src/store/sqlite/rollups/rollup-labels.js'
import { SqliteStatements, writeSums } from '../../../src/store/sqlite/sqlite-transaction.js'
import { STORED_COLUMNS, type StoredRow, storedRequestOf } from '../../../src/store/sqlite/stored-row.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { test, type Workspace } from '../../support/workspace.js'

const NEXT_DAY = '2026-11-23.ndjson'
const NOW = Date.UTC(2026, 10, 24)

function digest(workspace: Workspace, segment: string) {
  const bytes = workspace.readSegment(segment)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { segment, bytes: bytes.length, lines: bytes.filter((byte) => byte === 0x0a).length, sha256 }
}

function addEntry(workspace: Workspace, entry: NewManifestEntry): string {
  return new ManifestFile(workspace.journal).append(() => entry, NOW)?.hash ?? ''
}

/** Two sealed segments, projected. @returns the head. */
async function fill(workspace: Workspace): Promise<string> {
  writeSegment(workspace.journal, lines(requestLine('a'), requestLine('b')))
  writeSegment(workspace.journal, lines(requestLine('c')), NEXT_DAY)
  await projectOnce(workspace)
  // Sealed below, whatever day it is.
  rmSync(join(workspace.journal, MANIFEST_FILE), { force: true })
  addEntry(workspace, { kind: 'sealed', ...digest(workspace, DAY) })
  return addEntry(workspace, { kind: 'sealed', ...digest(workspace, NEXT_DAY) })
}

const problems = async (workspace: Workspace, database?: string) => {
  const report = await verify({ journal: workspace.journal, database })
  expect(report.ok).toBe(report.problems.length === 0)
  return report.problems.map(({ kind, segment, byte_offset }) => `${kind} ${segment}:${byte_offset}`)
}

test('the head of an untouched chain; lines after a sealed size are late, not tampered', async ({
  workspace,
}) => {
  const head = await fill(workspace)
  writeSegment(workspace.journal, lines(requestLine('late')))
  await projectOnce(workspace)
  expect(await verify(workspace)).toMatchObject({ ok: true, chain: { entries: 2, head }, late: 1 })
})

test('a sealed segment that was rewritten with good checksums is named, without a database too', async ({
  workspace,
}) => {
  await fill(workspace)
  const forged = lines(requestLine('a'), requestLine('x'), requestLine('more'))
  writeFileSync(join(workspace.journal, DAY), forged)
  workspace.expectDamage()
  expect(await problems(workspace)).toEqual([`tampered ${DAY}:0`])
  expect(await problems(workspace, workspace.database)).toContain(`tampered ${DAY}:0`)
})

test('a sealed segment that is shorter, or gone, without a database too', async ({ workspace }) => {
  await fill(workspace)
  workspace.expectDamage()
  writeFileSync(join(workspace.journal, DAY), lines(requestLine('a')))
  rmSync(join(workspace.journal, NEXT_DAY))
  const end = requestLine('a').length + 1
  expect(await problems(workspace)).toEqual([`tampered ${DAY}:${end}`, `gone ${NEXT_DAY}:0`])
})

test('a pruned segment is not missing', async ({ workspace }) => {
  await fill(workspace)
  workspace.expectDamage()
  addEntry(workspace, { kind: 'pruned', ...digest(workspace, DAY) })
  rmSync(join(workspace.journal, DAY))
  expect(await problems(workspace)).toEqual([])
  // Another database has its rows still.
  expect(await problems(workspace, workspace.database)).toEqual([])
})

test('of segments that were pruned from the database neither rows nor lines are asked for', async ({
  workspace,
}) => {
  await fill(workspace)
  workspace.expectDamage()
  const database = new SQLite(workspace.database)
  removeRow(database, 1)
  database.exec('INSERT INTO pruned_segments (through_segment_id) VALUES (20261122000)')
  // Its file is still there: the prune hasn't ended, or somebody wants rows not to be compared.
  expect(await problems(workspace, workspace.database)).toEqual([`unpruned ${DAY}:0`])
  const entry = { kind: 'pruned' as const, ...digest(workspace, DAY) }
  rmSync(join(workspace.journal, DAY))
  expect(await problems(workspace, workspace.database)).toEqual([`gone ${DAY}:0`])
  addEntry(workspace, entry)
  removeRow(database, 2)
  database.exec('UPDATE unjournaled_requests SET last_id = 2')
  database.close()
  expect(await verify(workspace)).toMatchObject({ ok: true, lines: 1, rows: 1 })
})

test('a manifest that was changed', async ({ workspace }) => {
  await fill(workspace)
  const path = join(workspace.journal, MANIFEST_FILE)
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.replace('"lines":2', '"lines":3'))
  expect(await problems(workspace, workspace.database)).toContain(`chain ${MANIFEST_FILE}:0`)
  writeFileSync(path, text)
  appendFileSync(path, 'nonsense\n')
  expect(await problems(workspace)).toEqual([`chain ${MANIFEST_FILE}:${text.length}`])
})

test('an archived segment is read like a plain one', async ({ workspace }) => {
  await fill(workspace)
  const bytes = workspace.readSegment(DAY)
  const archive = join(workspace.journal, `${DAY}.gz`)
  writeFileSync(archive, gzipSync(bytes))
  rmSync(join(workspace.journal, DAY))
  const report = await verify(workspace)
  expect(report).toMatchObject({ ok: true, lines: 3, rows: 3, segments: 2 })

  workspace.expectDamage()
  writeFileSync(
    archive,
    gzipSync(Buffer.from(bytes.toString().replace('"latency_ms":100', '"latency_ms":101'))),
  )
  expect(await problems(workspace, workspace.database)).toEqual([
    `tampered ${DAY}:0`,
    `swapped ${DAY}:0`,
    `damaged ${DAY}:0`,
  ])
  writeFileSync(archive, gzipSync(bytes).subarray(0, -12))
  expect(await problems(workspace, workspace.database)).toEqual([
    expect.stringMatching(`^unreadable ${DAY}:`),
  ])
})

test('an archive is counted as compressed again unless its SHA-256 is the recorded one, also at the same size', async ({
  workspace,
}) => {
  await fill(workspace)
  const archive = join(workspace.journal, `${DAY}.gz`)
  const file = gzipSync(workspace.readSegment(DAY))
  addEntry(workspace, {
    kind: 'archived',
    ...digest(workspace, DAY),
    archive_bytes: file.length,
    archive_sha256: createHash('sha256').update(file).digest('hex'),
  })
  rmSync(join(workspace.journal, DAY))
  writeFileSync(archive, file)
  expect(await verify(workspace)).toMatchObject({ ok: true, recompressed: 0 })
  // The time in the header, which says nothing of the lines.
  file.writeUInt32LE(1, 4)
  writeFileSync(archive, file)
  expect(await verify(workspace)).toMatchObject({ ok: true, recompressed: 1, problems: [] })
})

test('what was put after the end of an archive', async ({ workspace }) => {
  await fill(workspace)
  workspace.expectDamage()
  const bytes = workspace.readSegment(DAY)
  addEntry(workspace, {
    kind: 'archived',
    ...digest(workspace, DAY),
    archive_bytes: gzipSync(bytes).length,
    archive_sha256: 'x',
  })
  rmSync(join(workspace.journal, DAY))
  const archive = join(workspace.journal, `${DAY}.gz`)
  writeFileSync(archive, gzipSync(bytes))
  expect(await problems(workspace, workspace.database)).toEqual([])
  appendFileSync(archive, gzipSync(lines(requestLine('forged'))))
  expect(await problems(workspace, workspace.database)).toEqual([`tampered ${DAY}:${bytes.length}`])
})

/** As a prune does. */
function removeRow(database: SQLite.Database, id: number): void {
  const tables = new SqliteStatements(database)
  const labels = rollupLabels(database)
  const sums = new Sums(labels)
  const row = database.prepare(`SELECT ${STORED_COLUMNS} FROM requests WHERE id = ?`).raw().get(id)
  sums.remove(storedRequestOf(row as StoredRow, 0))
  writeSums(tables, { ...sums.take(), ratios: [] }, labels)
  tables.rollups.removeEmpty()
  database.prepare('DELETE FROM requests WHERE id = ?').run(id)
}

import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect } from 'vitest'
import { archiveWith } from '../../../src/maintenance/archive.js'
import { doctor } from '../../../src/maintenance/doctor/doctor.js'
import { prune } from '../../../src/maintenance/prune.js'
import { status } from '../../../src/maintenance/status.js'
import { projectOnce, replay } from '../../../src/projection/index.js'
import { runHere } from '../../support/command.js'
import { lines, writeSegment } from '../../support/journal-files.js'
import { requestLine } from '../../support/lines.js'
import { test, type Workspace } from '../../support/workspace.js'

const OLD = '2024-11-20.ndjson'
const NEXT = '2024-11-21.ndjson'
const LAST = '2024-11-22.ndjson'

/** Three days that were sealed, and no database any more. */
async function sealThree(workspace: Workspace): Promise<void> {
  for (const name of [OLD, NEXT, LAST]) {
    writeSegment(workspace.journal, lines(requestLine(`${name} 1`), requestLine(`${name} 2`)), name)
  }
  await projectOnce(workspace)
}

function removeDatabase({ directory }: Workspace): void {
  for (const name of readdirSync(directory)) if (name.startsWith('requests.db')) rmSync(join(directory, name))
}

const count = (workspace: Workspace) => workspace.query('SELECT count(*) AS n FROM requests')[0]?.['n']

async function problemsOf(workspace: Workspace): Promise<{ status: string[]; doctor: string[] }> {
  const { checks } = await doctor(workspace)
  return {
    status: (await status(workspace)).problems,
    doctor: checks
      .filter(({ check, level }) => check === 'missing_segments' && level === 'problem')
      .flatMap(({ items }) => items),
  }
}

test('another segment in the place of a sealed one stops project and replay into a new database', async ({
  workspace,
}) => {
  workspace.expectDamage()
  await sealThree(workspace)
  removeDatabase(workspace)
  const { journal, database } = workspace
  const right = readFileSync(join(journal, OLD))
  // Its lines are whole, and their checksums are right.
  cpSync(join(journal, NEXT), join(journal, OLD))
  for (const run of [projectOnce, replay]) {
    await expect(run(workspace)).rejects.toMatchObject({
      code: 'SEGMENT_REPLACED',
      message: expect.stringMatching(new RegExp(`${OLD}.*not those that were sealed.*--allow-missing`)),
    })
  }
  expect(await replay({ journal, database, allowMissing: true })).toMatchObject({ projected: 6 })
  expect(await projectOnce(workspace)).toMatchObject({ projected: 0 })
  removeDatabase(workspace)
  writeFileSync(join(journal, OLD), right)
  expect(await projectOnce(workspace)).toMatchObject({ projected: 6 })
})

test('a sealed segment that was altered after what is projected of it stops project and replay', async ({
  workspace,
}) => {
  workspace.expectDamage()
  const { journal, directory } = workspace
  const projected = lines(requestLine('a'))
  writeSegment(journal, projected, OLD)
  await projectOnce(workspace)
  rmSync(join(journal, 'manifest.jsonl'))
  writeSegment(journal, lines(requestLine('b')), OLD)
  // Another database's projector seals what this one hasn't read yet.
  await projectOnce({ journal, database: join(directory, 'other.db') })
  writeFileSync(join(journal, OLD), projected + lines(requestLine('c')))
  for (const run of [replay, projectOnce]) {
    await expect(run(workspace)).rejects.toMatchObject({ code: 'SEGMENT_REPLACED' })
  }
  expect(count(workspace)).toBe(1)
})

test('a sealed segment that was cut after what is projected of it stops project and replay, until somebody accepts it', async ({
  workspace,
}) => {
  workspace.expectDamage()
  const { journal, directory } = workspace
  const projected = lines(requestLine('a'))
  writeSegment(journal, projected, OLD)
  await projectOnce(workspace)
  rmSync(join(journal, 'manifest.jsonl'))
  writeSegment(journal, lines(requestLine('b')), OLD)
  await projectOnce({ journal, database: join(directory, 'other.db') })
  truncateSync(join(journal, OLD), projected.length)
  for (const run of [replay, projectOnce]) {
    await expect(run(workspace)).rejects.toMatchObject({ code: 'SEGMENT_TRUNCATED' })
  }
  const { checks } = await doctor(workspace)
  expect(checks.find(({ check }) => check === 'positions')).toMatchObject({
    level: 'problem',
    items: [expect.stringMatching(`${OLD}: truncated, .* ${2 * projected.length} were sealed`)],
  })
  expect((await status(workspace)).problems).toEqual([expect.stringContaining('was truncated')])
  await projectOnce({ ...workspace, allowMissing: true })
  expect(await projectOnce(workspace)).toMatchObject({ projected: 0 })
})

test('a sealed segment that was altered or cut, then compressed by hand, stops project and replay into a new database', async ({
  workspace,
}) => {
  workspace.expectDamage()
  await sealThree(workspace)
  const { journal } = workspace
  const right = readFileSync(join(journal, OLD), 'utf8')
  const [first] = right.split('\n')
  rmSync(join(journal, OLD))
  const archive = join(journal, `${OLD}.gz`)
  for (const wrong of [lines(first ?? ''), right.replace('gpt-4o', 'gpt-5o')]) {
    writeFileSync(archive, gzipSync(wrong))
    for (const run of [projectOnce, replay]) {
      removeDatabase(workspace)
      await expect(run(workspace)).rejects.toMatchObject({
        code: 'SEGMENT_REPLACED',
        message: expect.stringMatching(`${OLD}.gz.*not those that were sealed`),
      })
    }
    await replay({ ...workspace, allowMissing: true })
    expect(await projectOnce(workspace)).toMatchObject({ projected: 0 })
  }
  removeDatabase(workspace)
  writeFileSync(archive, gzipSync(right))
  expect(await projectOnce(workspace)).toMatchObject({ projected: 6 })
  expect(await replay(workspace)).toMatchObject({ projected: 6 })
})

describe.each<[string, string, (workspace: Workspace) => void]>([
  ['without a sealed segment', 'SEGMENT_MISSING', ({ journal }) => rmSync(join(journal, OLD))],
  [
    'with a part of a sealed segment',
    'SEGMENT_TRUNCATED',
    ({ journal }) => truncateSync(join(journal, OLD), 10),
  ],
])('a restore %s, and a new database', (_, code, damage) => {
  test('stops project and replay, and is a problem for status and doctor, until somebody accepts it', async ({
    workspace,
  }) => {
    workspace.expectDamage()
    await sealThree(workspace)
    removeDatabase(workspace)
    damage(workspace)
    for (const run of [projectOnce, replay]) {
      await expect(run(workspace)).rejects.toMatchObject({ code, message: expect.stringContaining(OLD) })
    }
    removeDatabase(workspace)
    const before = await problemsOf(workspace)
    expect(before.status).toEqual([expect.stringContaining(OLD)])
    expect(before.doctor).toEqual([expect.stringContaining(OLD)])
    const refused = await runHere([
      'project',
      '--once',
      '--journal',
      workspace.journal,
      '--db',
      workspace.database,
    ])
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('--allow-missing') })
    expect(count(workspace)).toBe(0)
    const args = ['--journal', workspace.journal, '--db', workspace.database]
    expect(await runHere(['project', '--once', '--allow-missing', ...args])).toMatchObject({ status: 0 })
    expect(count(workspace)).toBe(4)
    // From now on nobody has to say so again, and it isn't hidden either.
    await projectOnce(workspace)
    expect(await problemsOf(workspace)).toEqual({ status: [], doctor: [] })
    const { checks } = await doctor(workspace)
    expect(checks.find(({ check }) => check === 'missing_segments')).toMatchObject({ level: 'note' })
    rmSync(join(workspace.journal, NEXT))
    await expect(projectOnce(workspace)).rejects.toMatchObject({ code: 'SEGMENT_MISSING' })
    // One that had been projected isn't hidden either.
    await projectOnce({ ...workspace, allowMissing: true })
    expect((await doctor(workspace)).checks.find(({ check }) => check === 'missing_segments')).toMatchObject({
      level: 'note',
      items: [expect.stringContaining(OLD), expect.stringContaining(NEXT)],
    })
  })
})

test('a replay that was told to do without a segment is followed by a projector that does too', async ({
  workspace,
}) => {
  await sealThree(workspace)
  rmSync(join(workspace.journal, OLD))
  await expect(replay(workspace)).rejects.toMatchObject({ code: 'SEGMENT_MISSING' })
  await replay({ ...workspace, allowMissing: true })
  expect(await projectOnce(workspace)).toMatchObject({ projected: 0 })
  expect((await status(workspace)).problems).toEqual([])
  // Once it is back, it is known again.
  writeSegment(workspace.journal, lines(requestLine(`${OLD} 1`), requestLine(`${OLD} 2`)), OLD)
  expect(await projectOnce(workspace)).toMatchObject({ projected: 2 })
  rmSync(join(workspace.journal, OLD))
  await expect(projectOnce(workspace)).rejects.toMatchObject({ code: 'SEGMENT_MISSING' })
  workspace.expectDamage()
})

test('an archive that was pruned isn’t missing, by a new database either; one that wasn’t is', async ({
  workspace,
}) => {
  workspace.expectDamage()
  await sealThree(workspace)
  await archiveWith(workspace, { noticeMs: 1, onStep() {} })
  await prune({ ...workspace, before: '2024-11-21' })
  removeDatabase(workspace)
  expect(await projectOnce(workspace)).toMatchObject({ projected: 4 })
  expect(await problemsOf(workspace)).toEqual({ status: [], doctor: [] })
  removeDatabase(workspace)
  cpSync(join(workspace.journal, `${NEXT}.gz`), join(workspace.directory, 'kept.gz'))
  rmSync(join(workspace.journal, `${NEXT}.gz`))
  await expect(projectOnce(workspace)).rejects.toMatchObject({ code: 'SEGMENT_MISSING' })
  cpSync(join(workspace.directory, 'kept.gz'), join(workspace.journal, `${NEXT}.gz`))
  expect(await projectOnce(workspace)).toMatchObject({ projected: 4 })
})

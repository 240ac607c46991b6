import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect } from 'vitest'
import { readManifest } from '../../src/journal/chain/manifest.js'
import { archiveWith } from '../../src/maintenance/archive.js'
import { type PruneStep, prune, pruneWith } from '../../src/maintenance/prune.js'
import { verify } from '../../src/maintenance/verify/verify.js'
import { openDatabase, replay, startProjector } from '../../src/projection/index.js'
import { projectOnceWith } from '../../src/projection/projector.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'
import { test, type Workspace } from '../support/workspace.js'

const [FIRST, SECOND, THIRD, FOURTH] = ['20', '21', '22', '23'].map((day) => `2026-11-${day}.ndjson`) as [
  string,
  string,
  string,
  string,
]
const CLOCK = { now: () => Date.parse('2026-11-25T00:00:00.000Z') }
const BEFORE = '2026-11-22'

const sample = (id: string, output: number, policy = 'chat') =>
  requestLine(id, { policy, input_tokens: 10, output_tokens: output })
const end = (id: string, output: number) =>
  completionLine(id, { input_tokens: 10, output_tokens: output, success: true })

/** Somebody with sqlite3. */
function alter(workspace: Workspace, sql: string): void {
  const database = new SQLite(workspace.database)
  database.exec(sql)
  database.close()
}

/** Four days; the first three archived. */
async function fourDays(workspace: Workspace, extra: Partial<Record<string, string[]>> = {}): Promise<void> {
  const days: [string, string[]][] = [
    [FIRST, [sample('a', 10), 'garbage', sample('b', 20, 'only-old')]],
    [SECOND, [sample('c', 30)]],
    [THIRD, [sample('d', 40), sample('e', 50)]],
    [FOURTH, [sample('f', 60)]],
  ]
  for (const [name, events] of days)
    writeSegment(workspace.journal, lines(...events, ...(extra[name] ?? [])), name)
  await projectOnceWith(workspace, CLOCK)
  await archiveWith(workspace, { noticeMs: 1, onStep() {} })
}

function contents(workspace: Workspace): unknown {
  return {
    requests: workspace.query('SELECT * FROM requests ORDER BY id'),
    ratios: workspace.query('SELECT * FROM token_ratios ORDER BY policy'),
    rollups: workspace.query(
      `SELECT r.*, 0 AS dimension_id, d.model, d.policy, d.labels FROM rollups r
       JOIN rollup_dimensions d ON d.id = r.dimension_id ORDER BY grain, period, model, policy`,
    ),
    held: workspace.query('SELECT * FROM held_completions ORDER BY segment_id, byte_offset'),
    rejected: workspace.query('SELECT * FROM rejected_lines ORDER BY segment_id, byte_offset'),
    nextId: workspace.query("SELECT seq FROM sqlite_sequence WHERE name = 'requests'"),
    segments: workspace
      .query('SELECT * FROM journal_segments ORDER BY id')
      .map((row) => ({ ...row, projected_at: null, caught_up_at: null, inode: null })),
  }
}

const files = ({ journal }: Workspace) =>
  readdirSync(journal)
    .filter((name) => name.startsWith('20'))
    .sort()
const ids = (workspace: Workspace) =>
  workspace.query('SELECT id, correlation_id AS c FROM requests ORDER BY id').map(({ id, c }) => `${id}${c}`)

test('rows, rejected lines and archives of the days before go; a replay gives the same', async ({
  workspace,
}) => {
  await fourDays(workspace)
  const result = await prune({ ...workspace, before: BEFORE })
  expect(result).toMatchObject({
    dry_run: false,
    rows: 3,
    rejected: 1,
    segments: [FIRST, SECOND],
    left: [],
    replays_from: THIRD,
  })
  expect(result.bytes).toBeGreaterThan(0)
  expect(files(workspace)).toEqual([`${THIRD}.gz`, FOURTH])
  expect(ids(workspace)).toEqual(['4d', '5e', '6f'])
  expect(workspace.query('SELECT policy, avg_ratio, sample_count FROM token_ratios')).toEqual([
    { policy: 'chat', avg_ratio: 5, sample_count: 3 },
  ])
  const { entries, problems } = readManifest(workspace.journal)
  expect(entries.filter(({ kind }) => kind === 'pruned').map(({ segment }) => segment)).toEqual([
    FIRST,
    SECOND,
  ])
  expect(problems).toEqual([])
  const live = contents(workspace)
  await projectOnceWith(workspace, CLOCK)
  await replay(workspace)
  expect(contents(workspace)).toEqual(live)
  writeSegment(workspace.journal, lines(sample('g', 1)), FOURTH)
  await projectOnceWith(workspace, CLOCK)
  expect(ids(workspace).at(-1)).toBe('7g')
})

test('the next id goes on where the last row was pruned', async ({ workspace }) => {
  writeSegment(workspace.journal, lines(sample('a', 1)), FIRST)
  writeSegment(workspace.journal, lines('nonsense'), SECOND)
  await projectOnceWith(workspace, CLOCK)
  await archiveWith(workspace, { noticeMs: 1, onStep() {} })
  await prune({ ...workspace, before: '2030-01-01' })
  await replay(workspace)
  writeSegment(workspace.journal, lines(sample('b', 1)), SECOND)
  await projectOnceWith(workspace, CLOCK)
  expect(ids(workspace)).toEqual(['2b'])
})

test('prune with --dry-run removes nothing', async ({ workspace }) => {
  await fourDays(workspace)
  const before = contents(workspace)
  expect(await prune({ ...workspace, before: BEFORE, dryRun: true })).toMatchObject({
    dry_run: true,
    rows: 3,
    rejected: 1,
    segments: [FIRST, SECOND],
  })
  expect(contents(workspace)).toEqual(before)
  expect(files(workspace)).toHaveLength(4)
})

test('a segment that is not archived stays and is named, and so are those after it', async ({
  workspace,
}) => {
  writeSegment(workspace.journal, lines(sample('a', 1)), FIRST)
  writeSegment(workspace.journal, lines(sample('b', 2)), SECOND)
  await projectOnceWith(workspace, CLOCK)
  expect(await prune({ ...workspace, before: '2030-01-01' })).toMatchObject({
    rows: 0,
    segments: [],
    left: [
      { segment: FIRST, reason: 'not_archived' },
      { segment: SECOND, reason: 'behind_another' },
    ],
    replays_from: FIRST,
  })
  expect(ids(workspace)).toHaveLength(2)
})

test('a missing segment that somebody has accepted keeps nothing from going', async ({ workspace }) => {
  workspace.expectDamage()
  await fourDays(workspace)
  rmSync(join(workspace.journal, `${FIRST}.gz`))
  await expect(projectOnceWith(workspace, CLOCK)).rejects.toMatchObject({ code: 'SEGMENT_MISSING' })
  expect((await prune({ ...workspace, before: BEFORE, dryRun: true })).left).toMatchObject([
    { segment: FIRST, reason: 'not_archived' },
    { segment: SECOND },
  ])
  await projectOnceWith({ ...workspace, allowMissing: true }, CLOCK)
  expect(await prune({ ...workspace, before: BEFORE })).toMatchObject({
    rows: 3,
    segments: [FIRST, SECOND],
    left: [],
  })
  expect(await verify(workspace)).toMatchObject({ ok: true })
  expect(await projectOnceWith(workspace, CLOCK)).toMatchObject({ projected: 0 })
})

describe('across the border of a prune', () => {
  test('completions of requests that went are not held by a replay', async ({ workspace }) => {
    // The checker knows nothing of what went.
    workspace.expectDamage()
    await fourDays(workspace, {
      [THIRD]: [end('a', 1), end('a', 70), end('c', 5)],
      [FOURTH]: [sample('a', 80)],
    })
    await prune({ ...workspace, before: BEFORE })
    expect(await verify(workspace)).toMatchObject({ ok: true })
    const live = contents(workspace)
    expect(live).toMatchObject({ held: [] })
    await replay(workspace)
    expect(contents(workspace)).toEqual(live)
  })

  test('completions that went are still on the requests that came after them', async ({ workspace }) => {
    workspace.expectDamage()
    await fourDays(workspace, { [SECOND]: [end('d', 7)] })
    await prune({ ...workspace, before: BEFORE })
    expect(await verify(workspace)).toMatchObject({ ok: true })
    alter(workspace, 'UPDATE carried_completions SET output_tokens = output_tokens + 1')
    expect((await verify(workspace)).problems).toMatchObject([
      { kind: 'altered', columns: [{ column: 'output_tokens' }] },
    ])
    alter(workspace, 'UPDATE carried_completions SET output_tokens = output_tokens - 1')
    const live = contents(workspace)
    expect(workspace.query("SELECT output_tokens FROM requests WHERE correlation_id = 'd'")).toEqual([
      { output_tokens: 7 },
    ])
    await replay(workspace)
    expect(contents(workspace)).toEqual(live)
    // It goes with its request.
    await prune({ ...workspace, before: '2026-11-23' })
    expect(workspace.query('SELECT * FROM carried_completions')).toEqual([])
    const later = contents(workspace)
    await replay(workspace)
    expect(contents(workspace)).toEqual(later)
  })

  test('completions that went are still on requests from before the journal', async ({ workspace }) => {
    workspace.expectDamage()
    openDatabase(workspace.database).close()
    alter(
      workspace,
      `INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success)
       VALUES ('old', '2026-11-19T10:00:00.000Z', 'gpt-4o', 5, 0)`,
    )
    await fourDays(workspace, { [FIRST]: [end('old', 5)], [SECOND]: [end('old', 7)] })
    await prune({ ...workspace, before: BEFORE })
    expect(await verify(workspace)).toMatchObject({ ok: true, problems: [] })
    const live = contents(workspace)
    await replay(workspace)
    expect(contents(workspace)).toEqual(live)
    await prune({ ...workspace, before: '2026-11-23' })
    expect(await verify(workspace)).toMatchObject({ ok: true, problems: [] })
  })
})

/** Each projected before the next comes, as a projector that follows does it; all but the last day archived. */
async function oneByOne(workspace: Workspace, ...events: [segment: string, line: string][]): Promise<void> {
  for (const [segment, line] of events) {
    writeSegment(workspace.journal, lines(line), segment)
    await projectOnceWith(workspace, CLOCK)
  }
  await archiveWith(workspace, { noticeMs: 1, onStep() {} })
}

describe('late lines that went', () => {
  test('are remembered, so that verify asks for no order; a replay restores it', async ({ workspace }) => {
    workspace.expectDamage()
    await oneByOne(
      workspace,
      [FIRST, requestLine('a')],
      [SECOND, requestLine('b')],
      [FIRST, requestLine('late')],
      [SECOND, requestLine('c')],
      [THIRD, requestLine('d')],
    )
    await prune({ ...workspace, before: '2026-11-21' })
    expect(ids(workspace)).toEqual(['2b', '4c', '5d'])
    expect(await verify(workspace)).toMatchObject({ problems: [] })
    // Also by the next prune, which finds no late line of its own.
    await prune({ ...workspace, before: '2026-11-22' })
    expect(await verify(workspace)).toMatchObject({ problems: [] })
    await replay(workspace)
    expect(await verify(workspace)).toMatchObject({ problems: [] })
    alter(workspace, 'UPDATE requests SET id = 99')
    expect((await verify(workspace)).ok).toBe(false)
  })
})

describe('a completion without success', () => {
  const without = (cost: number) => completionLine('x', { cost_sats: cost })
  const failed = completionLine('x', { cost_sats: 1, success: false })

  test.for([
    ['that stays keeps the one of a completion that went', [failed], [requestLine('x'), without(2)]],
    ['that went keeps what was before it', [failed, without(2)], [requestLine('x'), without(3)]],
    ['that went last', [failed, without(2)], [requestLine('x')]],
  ] as const)('%s', async ([, gone, left], { workspace }) => {
    workspace.expectDamage()
    await oneByOne(
      workspace,
      ...gone.map((line): [string, string] => [FIRST, line]),
      ...left.map((line): [string, string] => [SECOND, line]),
      [THIRD, requestLine('z')],
    )
    await prune({ ...workspace, before: '2026-11-21' })
    const live = contents(workspace)
    expect(workspace.query('SELECT success FROM requests')).toMatchObject([{ success: 0 }, { success: 1 }])
    expect(await verify(workspace)).toMatchObject({ problems: [] })
    await replay(workspace)
    expect(contents(workspace)).toEqual(live)
    expect(await verify(workspace)).toMatchObject({ problems: [] })
  })

  test('that comes after the prune keeps the one of a completion that went', async ({ workspace }) => {
    workspace.expectDamage()
    await oneByOne(workspace, [FIRST, failed], [SECOND, requestLine('x')], [THIRD, requestLine('z')])
    await prune({ ...workspace, before: '2026-11-21' })
    writeSegment(workspace.journal, lines(without(2)), THIRD)
    await projectOnceWith(workspace, CLOCK)
    expect(workspace.query('SELECT success, cost_sats FROM requests')[0]).toEqual({
      success: 0,
      cost_sats: 2,
    })
    expect(await verify(workspace)).toMatchObject({ problems: [] })
    const live = contents(workspace)
    await replay(workspace)
    expect(contents(workspace)).toEqual(live)
    expect(await verify(workspace)).toMatchObject({ problems: [] })
  })
})

const STEPS: PruneStep[] = ['marked', 'batch', 'rows', 'recorded', 'removed']

describe.each(STEPS)('killed after the step: %s', (kill) => {
  const killed = async (workspace: Workspace) => {
    await fourDays(workspace)
    await expect(
      pruneWith({ ...workspace, before: BEFORE }, (step) => {
        if (step === kill) throw new Error('killed')
      }),
    ).rejects.toThrow('killed')
  }
  const expectPruned = async (workspace: Workspace, isEnded = true) => {
    const { ok, problems } = await verify(workspace)
    expect(ok).toBe(isEnded)
    // Until it has ended, that is what there is to say, and nothing else.
    expect(problems.filter(({ kind }) => kind !== 'unpruned')).toEqual([])
    expect(ids(workspace)).toEqual(['4d', '5e', '6f'])
    const live = contents(workspace)
    await replay(workspace)
    expect(contents(workspace)).toEqual(live)
  }

  test('the projector goes on, and the next run takes it up', async ({ workspace }) => {
    await killed(workspace)
    await projectOnceWith(workspace, CLOCK)
    await prune({ ...workspace, before: BEFORE })
    expect(files(workspace)).toEqual([`${THIRD}.gz`, FOURTH])
    await expectPruned(workspace)
  })

  test('a replay gives what is left', async ({ workspace }) => {
    await killed(workspace)
    await replay(workspace)
    await expectPruned(workspace, false)
    await projectOnceWith(workspace, CLOCK)
    await prune({ ...workspace, before: BEFORE })
    expect(files(workspace)).toEqual([`${THIRD}.gz`, FOURTH])
    await expectPruned(workspace)
  })
})

describe('another database of the same journal', () => {
  test('goes on with its rows when it had read all, and can be pruned too', async ({ workspace }) => {
    const other = { ...workspace, database: join(workspace.directory, 'other.db') }
    await fourDays(workspace)
    await projectOnceWith(other, CLOCK)
    await prune({ ...other, before: BEFORE })
    writeSegment(workspace.journal, lines(sample('g', 1)), FOURTH)
    expect(await projectOnceWith(workspace, CLOCK)).toMatchObject({ projected: 1 })
    await expect(replay(workspace)).rejects.toMatchObject({ code: 'SEGMENT_MISSING' })
    expect(await prune({ ...workspace, before: BEFORE })).toMatchObject({
      rows: 3,
      segments: [FIRST, SECOND],
    })
    await replay(workspace)
    expect(ids(workspace)).toEqual(['4d', '5e', '6f', '7g'])
  })

  test('stops when it had not', async ({ workspace }) => {
    const other = { ...workspace, database: join(workspace.directory, 'other.db') }
    writeSegment(workspace.journal, lines(sample('z', 1)), FIRST)
    await projectOnceWith(workspace, CLOCK)
    await fourDays(other)
    await prune({ ...other, before: BEFORE })
    await expect(projectOnceWith(workspace, CLOCK)).rejects.toMatchObject({ code: 'SEGMENT_MISSING' })
    workspace.expectDamage()
  })

  test('goes on when all that it hadn’t read of pruned segments is an empty one', async ({ workspace }) => {
    workspace.expectDamage()
    const other = { ...workspace, database: join(workspace.directory, 'other.db') }
    writeSegment(workspace.journal, lines(sample('z', 1)), FIRST)
    writeSegment(workspace.journal, '', SECOND)
    writeSegment(workspace.journal, lines(sample('b', 1)), FOURTH)
    await projectOnceWith(workspace, CLOCK)
    await projectOnceWith(other, CLOCK)
    await archiveWith(other, { noticeMs: 1, onStep() {} })
    expect(await prune({ ...other, before: BEFORE })).toMatchObject({ segments: [FIRST, SECOND] })
    expect(await projectOnceWith(workspace, CLOCK)).toMatchObject({ projected: 0 })
  })

  test('stops when it had read all of an older segment and nothing of a pruned one', async ({
    workspace,
  }) => {
    workspace.expectDamage()
    const other = { ...workspace, database: join(workspace.directory, 'other.db') }
    writeSegment(workspace.journal, lines(sample('z', 1)), FIRST)
    await projectOnceWith(workspace, CLOCK)
    writeSegment(workspace.journal, lines(sample('a', 1)), SECOND)
    writeSegment(workspace.journal, lines(sample('b', 1)), FOURTH)
    await projectOnceWith(other, CLOCK)
    await archiveWith(other, { noticeMs: 1, onStep() {} })
    await prune({ ...other, before: BEFORE })
    await expect(projectOnceWith(workspace, CLOCK)).rejects.toMatchObject({
      code: 'SEGMENT_MISSING',
      message: expect.stringContaining("it was pruned with 1 line that this database hadn't read"),
    })
    expect((await verify(workspace)).problems).toMatchObject([{ kind: 'gone', segment: SECOND }])
    expect(await projectOnceWith({ ...workspace, allowMissing: true }, CLOCK)).toMatchObject({ projected: 1 })
    expect(await projectOnceWith(workspace, CLOCK)).toMatchObject({ projected: 0 })
    expect(await verify(workspace)).toMatchObject({ problems: [], accepted_missing: 1 })
    // A new database begins with what is left.
    const late = { ...workspace, database: join(workspace.directory, 'new.db') }
    expect(await projectOnceWith(late, CLOCK)).toMatchObject({ projected: 1 })
  })
})

test('archives that come back are not projected again', async ({ workspace }) => {
  await fourDays(workspace)
  await prune({ ...workspace, before: BEFORE })
  writeSegment(workspace.journal, lines(sample('a', 10)), FIRST)
  expect(await projectOnceWith(workspace, CLOCK)).toMatchObject({ projected: 0 })
  rmSync(join(workspace.journal, FIRST))
})

test('prune is refused while a projector runs, and names it', async ({ workspace }) => {
  await fourDays(workspace)
  const projector = await startProjector(workspace)
  await expect(prune({ ...workspace, before: BEFORE })).rejects.toThrow(
    new RegExp(`a projector \\(pid ${process.pid} .* is already working on this database`),
  )
  await projector.stop()
})

test.for(['2026-11', 'tomorrow', '2026-13-01'])(
  'prune before %s is refused, since that is not a date',
  async (before, { workspace }) => {
    await expect(prune({ ...workspace, before })).rejects.toThrow(TypeError)
  },
)

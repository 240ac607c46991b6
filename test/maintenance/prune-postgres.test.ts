import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest'
import { archiveWith } from '../../src/maintenance/archive.js'
import { verify } from '../../src/maintenance/index.js'
import { type PruneStep, prune, pruneWith } from '../../src/maintenance/prune.js'
import { replay, startProjector } from '../../src/projection/index.js'
import { projectOnceWith } from '../../src/projection/projector.js'
import { postgresAddress } from '../../src/store/postgres/connection/address.js'
import { Connection } from '../../src/store/postgres/connection/connection.js'
import { migratePostgres } from '../../src/store/postgres/schema/migrations.js'
import { EMPTY } from '../store/postgres/support.js'
import { runHere } from '../support/command.js'
import { lines, writeSegment } from '../support/journal-files.js'
import { completionLine, requestLine } from '../support/lines.js'
import { noPostgres, sharedPostgres } from '../support/postgres.js'
import { runs } from '../support/runs.js'
import { test } from '../support/workspace.js'
import { inOrder, type PruneSteps } from './arbitrary-prunes.js'

const [FIRST, SECOND, THIRD, FOURTH] = ['20', '21', '22', '23'].map((day) => `2026-11-${day}.ndjson`) as [
  string,
  string,
  string,
  string,
]
const CLOCK = { now: () => Date.parse('2026-12-25T00:00:00.000Z') }
const BEFORE = '2026-11-22'
const schema = `prune_${randomUUID().replaceAll('-', '')}`
let database = ''
let connection: Connection

async function query(sql: string): Promise<Record<string, unknown>[]> {
  return await connection.transaction(() => connection.all(sql))
}

async function archive(journal: string) {
  return await archiveWith({ journal, database, schema }, { noticeMs: 1, onStep() {} })
}

async function project(journal: string, options: { chunks?: boolean } = {}): Promise<void> {
  await projectOnceWith({ journal, database, schema, ...options }, CLOCK)
}

const sample = (id: string, output: number, policy = 'chat') =>
  requestLine(id, { policy, input_tokens: 10, output_tokens: output, cost_sats: 0.5 })

/** Writes four days, of which the first three can be archived. */
function writeDays(journal: string, journalId?: string): void {
  const end = completionLine('c', { input_tokens: 1, output_tokens: 1, success: true })
  writeSegment(journal, lines(sample('a', 10), 'garbage', sample('b', 20, 'only-old')), FIRST, journalId)
  writeSegment(journal, lines(sample('c', 30), completionLine('never')), SECOND, journalId)
  writeSegment(journal, lines(sample('d', 40), end, sample('e', 50)), THIRD, journalId)
  writeSegment(journal, lines(sample('f', 60)), FOURTH, journalId)
}

const TABLES = [
  'requests',
  'rejected_lines',
  'held_completions',
  'superseded_completions',
  'token_ratio_sums',
  'rollups',
  'rollup_totals',
  'rollup_names',
]

/** What a replay must give again: the rows of one journal, dimensions by their keys. */
async function contents(journalId = 'test-journal'): Promise<unknown> {
  const of = `journal = (SELECT number FROM journals WHERE journal_id = '${journalId}')`
  const found: unknown[] = []
  for (const table of TABLES) {
    const sql =
      table === 'rollups'
        ? `SELECT r.*, 0 AS dimension_id, d.key FROM rollups r JOIN rollup_dimensions d
             ON d.journal = r.journal AND d.id = r.dimension_id WHERE r.${of}`
        : `SELECT * FROM ${table} WHERE ${of}`
    found.push((await query(sql)).map((row) => JSON.stringify(row)).sort())
  }
  found.push(await query(`SELECT next_ordinal FROM journals WHERE journal_id = '${journalId}'`))
  return found
}

const files = (journal: string) =>
  readdirSync(journal)
    .filter((name) => name.startsWith('20'))
    .sort()

describe.skipIf(noPostgres !== null)(
  `archive and prune with PostgreSQL${noPostgres === null ? '' : ` (${noPostgres})`}`,
  () => {
    beforeAll(async () => {
      database = await sharedPostgres()
      await migratePostgres(postgresAddress(database), schema, { monthsAhead: 1 })
      connection = await Connection.open({ address: postgresAddress(database), schema, purpose: 'test' })
    })

    beforeEach(async () => {
      if (noPostgres === null) await connection.transaction(() => connection.exec(EMPTY))
    })

    afterAll(async () => await connection?.close())

    test('the days before go from one journal and its rows; a replay gives the same, others stay', async ({
      workspace,
    }) => {
      const { journal, directory } = workspace
      const other = join(directory, 'other')
      writeDays(other, 'another')
      await project(other)
      const untouched = await contents('another')
      writeDays(journal)
      await project(journal)
      expect((await archive(journal)).archived.map(({ segment }) => segment)).toEqual([FIRST, SECOND, THIRD])
      const asked = { journal, database, schema, before: BEFORE }
      const expected = { rows: 3, rejected: 1, held: 1, segments: [FIRST, SECOND], left: [] }
      expect(await prune({ ...asked, dryRun: true })).toMatchObject({ ...expected, dry_run: true })
      expect(files(journal)).toHaveLength(4)
      const told = await runHere([
        ...['prune', '--journal', journal, '--db', database, '--schema', schema, '--before', BEFORE],
        '--dry-run',
      ])
      expect(told).toMatchObject({ status: 0, stderr: '' })
      expect(await prune(asked)).toMatchObject({ ...expected, dry_run: false, replays_from: THIRD })
      expect(files(journal)).toEqual([`${THIRD}.gz`, FOURTH])
      const rows = await query(
        `SELECT correlation_id AS c, id % 8 AS n FROM requests JOIN journals ON number = journal
         WHERE journal_id = 'test-journal' ORDER BY id`,
      )
      expect(rows.map(({ c, n }) => `${n}${c}`)).toEqual(['4d', '5e', '6f'])
      expect(await verify({ journal, database, schema })).toMatchObject({ ok: true, problems: [] })
      const live = await contents()
      await replay({ journal, database, schema })
      expect(await contents()).toEqual(live)
      expect(await verify({ journal, database, schema })).toMatchObject({ ok: true, problems: [] })
      expect(await contents('another')).toEqual(untouched)
      writeSegment(journal, lines(sample('g', 1)), FOURTH)
      await project(journal)
      expect(await verify({ journal, database, schema })).toMatchObject({ ok: true, rows: 4 })
    })

    test('a segment stays whose only copy its host has, and is named with what to do', async ({
      workspace,
    }) => {
      const { journal } = workspace
      writeDays(journal)
      await project(journal, { chunks: false })
      const skipped = [FIRST, SECOND, THIRD].map((segment) => ({ segment, reason: 'not_held' }))
      expect(await archive(journal)).toMatchObject({ archived: [], skipped: expect.arrayContaining(skipped) })
      const told = await runHere(['archive', '--journal', journal, '--db', database, '--schema', schema])
      expect(told.stdout).toContain(`${FIRST} stays: no copy off this host holds all of its bytes: run`)
      await replay({ journal, database, schema })
      expect((await archive(journal)).archived).toHaveLength(3)
      await query(`DELETE FROM journal_chunks WHERE segment_id = 20261121000 RETURNING 1`)
      const asked = { journal, database, schema, before: '2026-11-23' }
      expect(await prune(asked)).toMatchObject({
        segments: [FIRST],
        left: [
          { segment: SECOND, reason: 'not_held' },
          { segment: THIRD, reason: 'behind_another' },
        ],
      })
      await replay({ journal, database, schema })
      await query(`UPDATE journal_chunks SET bytes = (SELECT bytes FROM journal_chunks WHERE segment_id = 20261121000)
        WHERE segment_id = 20261122000 RETURNING 1`)
      expect((await prune(asked)).left).toEqual([{ segment: THIRD, reason: 'not_held' }])
      // Who wants nothing of these days to be left needs no copy.
      expect(await prune({ ...asked, chunks: true })).toMatchObject({ segments: [THIRD], left: [] })
      expect(await verify({ journal, database, schema })).toMatchObject({ ok: true })
    })

    test('the bytes of pruned days stay until they are to go too', async ({ workspace }) => {
      const { journal } = workspace
      writeDays(journal)
      await project(journal)
      await archive(journal)
      const held = async () =>
        (await query('SELECT DISTINCT segment_id FROM journal_chunks ORDER BY 1')).map(({ segment_id }) =>
          Number(segment_id),
        )
      await prune({ journal, database, schema, before: BEFORE })
      expect(await held()).toEqual([20261120000, 20261121000, 20261122000, 20261123000])
      // As if the host had lost two segments under one name before this one.
      for (const times of [1, 2]) {
        await query(`INSERT INTO journal_chunks SELECT journal, segment_id + ${times} * 1000000000000, byte_offset, length,
          bytes FROM journal_chunks WHERE segment_id = 20261120000 RETURNING 1`)
      }
      await prune({ journal, database, schema, before: '2026-11-21', chunks: true })
      expect(await held()).toEqual([20261121000, 20261122000, 20261123000])
      const told = await runHere([
        ...['prune', '--journal', journal, '--db', database, '--schema', schema],
        ...['--before', '2026-11-23', '--chunks', '--json'],
      ])
      expect(told).toMatchObject({ status: 0, json: { rows: 2, segments: [THIRD] } })
      expect(await held()).toEqual([20261123000])
    })

    test('a dry run may stand beside a projector at work', async ({ workspace }) => {
      const { journal } = workspace
      writeDays(journal)
      await project(journal)
      const projector = await startProjector({ journal, database, schema })
      try {
        const asked = { journal, database, schema, before: BEFORE }
        expect(await prune({ ...asked, dryRun: true })).toMatchObject({ segments: [] })
      } finally {
        await projector.stop()
      }
    })

    test.each(['marked', 'batch', 'rows', 'recorded', 'removed'] satisfies PruneStep[])(
      'a prune that ended after %s is finished by the next one',
      async (last) => {
        const directory = mkdtempSync(join(tmpdir(), 'request-journal-prune-'))
        const journal = join(directory, 'journal')
        try {
          writeDays(journal)
          await project(journal)
          await archive(journal)
          const asked = { journal, database, schema, before: BEFORE }
          const ended = pruneWith(asked, (step) => {
            if (step === last) throw new Error('killed here')
          })
          await expect(ended).rejects.toThrow('killed here')
          await project(journal)
          await prune(asked)
          expect(files(journal)).toEqual([`${THIRD}.gz`, FOURTH])
          expect(await verify({ journal, database, schema })).toMatchObject({
            ok: true,
            rows: 3,
            problems: [],
          })
          const live = await contents()
          await replay({ journal, database, schema })
          expect(await contents()).toEqual(live)
        } finally {
          rmSync(directory, { recursive: true, force: true })
        }
      },
    )

    test('what a prune leaves is what a replay of the rest gives, and verify finds it right', {
      timeout: 120_000,
    }, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(inOrder, { maxLength: 20 }), (steps) => check(steps)),
        // What SQL has no part in is tried more often with a file.
        runs(3),
      )
    })
  },
)

async function check(steps: PruneSteps): Promise<void> {
  await connection.transaction(() => connection.exec(EMPTY))
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-property-'))
  const journal = join(directory, 'journal')
  const segment = (day: number) => `2026-11-${day}.ndjson`
  const cut = async (day: number) => {
    await project(journal)
    await archive(journal)
    await prune({ journal, database, schema, before: `2026-11-${day}` })
    expect(await verify({ journal, database, schema })).toMatchObject({ problems: [] })
  }
  try {
    let [day, pruned] = [10, 10]
    writeSegment(journal, '', segment(day))
    for (const step of steps) {
      if (step === 'project') await project(journal)
      else if (step === 'new segment') day = Math.min(30, day + 1)
      else if (typeof step === 'string') writeSegment(journal, step, segment(day))
      else if ('before' in step) {
        pruned = Math.max(pruned, Math.min(day, pruned + (step.before % 3)))
        await cut(pruned)
      }
    }
    await cut(Math.max(pruned, day - 1))
    const live = await contents()
    await replay({ journal, database, schema })
    expect(await verify({ journal, database, schema })).toMatchObject({ problems: [] })
    expect(await contents()).toEqual(live)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

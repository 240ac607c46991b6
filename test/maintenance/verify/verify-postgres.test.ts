import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest'
import { verify } from '../../../src/maintenance/index.js'
import { projectOnce, replay, startProjector } from '../../../src/projection/index.js'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { Connection } from '../../../src/store/postgres/connection/connection.js'
import { IDS_PER_JOURNAL } from '../../../src/store/postgres/row-ids.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { EMPTY } from '../../store/postgres/support.js'
import { runHere } from '../../support/command.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { checkedLine, completionLine, requestLine } from '../../support/lines.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { runs } from '../../support/runs.js'
import { test } from '../../support/workspace.js'
import { type Step, withLateLines } from './arbitrary-steps.js'

const schema = `verify_${randomUUID().replaceAll('-', '')}`
let database = ''
let writer: Connection

async function alter(sql: string): Promise<void> {
  await writer.transaction(() => writer.exec(sql))
}

const price = {
  ...{ type: 'price_set', provider: null, model: 'gpt-4o', valid_from: '2026-01-01T00:00:00.000Z' },
  ...{ currency: 'usd', per_million: { input: '02.50', output: '000.1' }, per_request: '0' },
  ...{ service_tier: null, min_input_tokens: null, source: 'list' },
}
const rate = { observed_at: '2026-11-22T09:00:00.000Z', usd_per_btc: '090000.10', source: 'test' }
const labels = { zebra: 'z', a: 'ü', '10': 'ten', '9': 'nine', tier: 'gold', team: 'backslash \\u0000' }

/** What a store may keep in another way than it was written. */
const ODD = [
  checkedLine(price),
  checkedLine({ type: 'exchange_rate_observed', ...rate }),
  requestLine('a', { labels, input_tokens: 3, output_tokens: 7, policy: 'chat' }),
  requestLine('b', { cost_sats: 1e308, cost_usd: 5e-324, error_message: 'NUL \0 and \ttab\\' }),
  requestLine('b', { cost_sats: -0.5, model: 'm'.repeat(500) }),
  requestLine('c', { cost_sats: 0.1, cost_usd: 0.9999999999, streaming: true }),
  requestLine('d', { cost_sats: 0.7, timestamp: '2026-11-22T10:00:00.123456Z' }),
  requestLine('e', { cost_sats: 0.7, timestamp: '0001-01-01T00:00:00.000Z' }),
  requestLine('f', { cost_sats: 12345.6, timestamp: '9999-12-31T23:59:59.999+14:00' }),
  completionLine('c', { input_tokens: 5, output_tokens: 1, success: true, stream_duration_ms: 9 }),
  completionLine('c', { input_tokens: 6, output_tokens: 1, success: false, error_message: '\0' }),
  completionLine('later', { error_message: 'held \0', cost_sats: 0.3 }),
  'nonsense with a \0',
]
const A_AT = ODD.slice(0, 2).reduce((sum, line) => sum + line.length + 1, 0)

describe.skipIf(noPostgres !== null)(
  `verify over PostgreSQL${noPostgres === null ? '' : ` (${noPostgres})`}`,
  () => {
    beforeAll(async () => {
      database = await sharedPostgres()
      await migratePostgres(postgresAddress(database), schema, { monthsAhead: 1 })
      writer = await Connection.open({ address: postgresAddress(database), schema, purpose: 'test' })
    })

    beforeEach(async () => {
      if (noPostgres === null) await alter(EMPTY)
    })

    afterAll(async () => await writer?.close())

    test('whatever was projected, in whatever order it came, is found right', {
      timeout: 120_000,
    }, async () => {
      await fc.assert(
        fc.asyncProperty(withLateLines, async (drawn) => {
          await alter(EMPTY)
          await withSteps(drawn.flat(), async (journal) => {
            expect(await verify({ journal, database, schema })).toMatchObject({ ok: true, problems: [] })
          })
        }),
        // What SQL has no part in is tried more often with a file.
        runs(5),
      )
    })

    test('what PostgreSQL keeps in its own way is what the lines say', async ({ workspace }) => {
      const { journal, directory } = workspace
      const other = join(directory, 'other')
      writeSegment(other, lines(...ODD), DAY, 'another')
      writeSegment(journal, lines(...ODD))
      for (const one of [other, journal]) await projectOnce({ journal: one, database, schema })
      await projectOnce(workspace)
      const { database: _, elapsed_ms: __, ...inFile } = await verify(workspace)
      for (const one of [journal, other, journal]) {
        const report = await verify({ journal: one, database, schema })
        const expected = {
          ...inFile,
          ok: true,
          journal_id: report.journal_id,
          chain: report.chain,
          problems: [],
        }
        expect(report).toEqual({ ...expected, database, elapsed_ms: expect.any(Number) })
        await replay({ journal: one, database, schema })
      }
    })

    test.each([
      ['a row that is gone', 'DELETE FROM requests WHERE id = $id', 'missing'],
      ['a value that is another', "UPDATE requests SET model = 'x' WHERE id = $id", 'altered'],
      ['labels that are others', `UPDATE requests SET labels = '{"a":"b"}' WHERE id = $id`, 'altered'],
      ['a row with an id of its own that is there twice', copyOfRow('id + 1000'), 'doubled'],
      ['a row that is there twice', copyOfRow('id', "timestamp + INTERVAL '1 day'"), 'doubled'],
      ['a row of no line', 'UPDATE requests SET byte_offset = 1 WHERE id = $id', 'missing'],
    ])('%s is named with its place', async (_, sql, kind) => {
      await withJournalOf(ODD, async (journal, number) => {
        await alter(sql.replaceAll('$id', String(number * IDS_PER_JOURNAL + 1)))
        const { ok, problems } = await verify({ journal, database, schema })
        expect(ok).toBe(false)
        expect(problems).toContainEqual(expect.objectContaining({ kind, segment: DAY, byte_offset: A_AT }))
      })
    })

    const PARTS = [
      ['a roll-up', 'UPDATE rollups SET cost_sats = cost_sats + 0.000000001', 'rollup'],
      ['a total', 'UPDATE rollup_totals SET requests = requests + 1', 'rollup'],
      ['the latencies of a total', 'DELETE FROM rollup_total_latencies', 'rollup'],
      ['a ratio', 'UPDATE token_ratio_sums SET sample_count = 2', 'ratio'],
      ['a counter', 'UPDATE request_counters SET input_tokens = input_tokens + 1', 'counter'],
      ['a price', "UPDATE prices SET output = '0.2'", 'altered'],
      ['a position', 'UPDATE journal_segments SET lines = 1', 'counts'],
      ['a held completion', 'DELETE FROM held_completions', 'missing'],
      ['a rejected line', 'DELETE FROM rejected_lines', 'missing'],
      ['an overwritten completion', 'DELETE FROM superseded_completions', 'missing'],
    ] as const

    test.each(PARTS)('%s that differs is found', async (_, sql, kind) => {
      await withJournalOf(ODD, async (journal) => {
        await alter(sql)
        const { problems } = await verify({ journal, database, schema })
        expect(problems.map((problem) => problem.kind)).toContain(kind)
      })
    })

    test('whatever differs of one journal is nothing to another', async () => {
      await withJournalOf(ODD, async (journal, number) => {
        const other = `${journal}.other`
        writeSegment(other, lines(...ODD), DAY, 'another')
        await projectOnce({ journal: other, database, schema })
        for (const [, sql] of PARTS) await alter(`${sql} WHERE journal = ${number}`)
        expect(await verify({ journal, database, schema })).toMatchObject({ ok: false })
        expect(await verify({ journal: other, database, schema })).toMatchObject({ ok: true })
      })
    })

    test('it may run while projectors write, its own journal’s too', async ({ workspace }) => {
      const { directory } = workspace
      const journals = [join(directory, 'one'), join(directory, 'two')] as const
      for (const [n, journal] of journals.entries())
        writeSegment(journal, lines(requestLine('a')), DAY, `host-${n}`)
      const projectors = await Promise.all(
        journals.map((journal) => startProjector({ journal, database, schema })),
      )
      try {
        for (let round = 0; round < 3; round++) {
          for (const journal of journals) {
            writeSegment(
              journal,
              lines(...Array.from({ length: 100 }, (_, n) => requestLine(`r${round}-${n}`))),
            )
          }
          expect(await verify({ journal: journals[0], database, schema })).toMatchObject({
            ok: true,
            problems: [],
          })
        }
      } finally {
        await Promise.all(projectors.map((projector) => projector.stop()))
      }
      await projectOnce({ journal: journals[1], database, schema })
      const report = await verify({ journal: journals[1], database, schema })
      expect(report).toMatchObject({ ok: true, rows: 301, pending: 0 })
    })

    test('a journal that the database doesn’t know waits to be projected', async ({ workspace }) => {
      const { journal } = workspace
      writeSegment(journal, lines(requestLine('a'), requestLine('b')))
      expect(await verify({ journal, database, schema })).toMatchObject({ ok: true, rows: 0, pending: 2 })
      const told = await runHere(['verify', '--journal', journal, '--db', database, '--schema', schema])
      expect(told).toMatchObject({ status: 0, stderr: '' })
    })
  },
)

/** The SQL that inserts a row again, with another id or timestamp. */
function copyOfRow(id: string, timestamp = 'timestamp'): string {
  return `CREATE TEMP TABLE copied AS SELECT * FROM requests WHERE id = $id;
    UPDATE copied SET id = ${id}, timestamp = ${timestamp};
    INSERT INTO requests SELECT * FROM copied; DROP TABLE copied`
}

/** Lends a journal that was projected, and its number. */
async function withJournalOf(
  text: readonly string[],
  use: (journal: string, number: number) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-verify-'))
  const journal = join(directory, 'journal')
  try {
    writeSegment(journal, lines(...text))
    await projectOnce({ journal, database, schema })
    const find = () => writer.one<{ number: number }>('SELECT number FROM journals')
    await use(journal, (await writer.transaction(find))?.number ?? 0)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function withSteps(drawn: readonly Step[], check: (journal: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-property-'))
  const journal = join(directory, 'journal')
  const segment = (day: number) => `2026-11-${day}.ndjson`
  try {
    let day = 10
    writeSegment(journal, '', segment(day))
    for (const step of drawn) {
      if (step === 'project') await projectOnce({ journal, database, schema })
      else if (step === 'replay') await replay({ journal, database, schema })
      else if (step === 'new segment') day = Math.min(30, day + 1)
      else if (typeof step === 'string') writeSegment(journal, step, segment(day))
      else writeSegment(journal, step.late, segment(Math.max(10, day - 1)))
    }
    await projectOnce({ journal, database, schema })
    await check(journal)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

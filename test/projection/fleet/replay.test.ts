import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect } from 'vitest'
import { verify } from '../../../src/maintenance/index.js'
import { projectOnce, replay } from '../../../src/projection/index.js'
import { openDatabaseReadOnly } from '../../../src/queries/index.js'
import { openStore } from '../../../src/store/open-store.js'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { IDS_PER_JOURNAL } from '../../../src/store/postgres/row-ids.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { ask, findFleetDifferences } from '../../support/fleet-checker.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { checkedLine, completionLine, requestLine } from '../../support/lines.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { test, type Workspace } from '../../support/workspace.js'

const schema = `replay_${randomUUID().replaceAll('-', '')}`
let database = ''

const TABLES = [
  ...['requests', 'journal_segments', 'rollups', 'rollup_totals', 'rollup_latencies', 'rollup_dimensions'],
  ...[
    'request_counters',
    'latency_counters',
    'token_ratio_sums',
    'prices',
    'held_completions',
    'journal_chunks',
  ],
]

/** Every row of a journal, with the transaction that wrote it: an update would show, too. */
async function rowsOf(
  journalId: string,
  columns = 'ctid, xmin, tableoid, *',
): Promise<Record<string, unknown>> {
  const of = `journal = (SELECT number FROM ${schema}.journals WHERE journal_id = '${journalId}')`
  const found: Record<string, unknown> = {}
  for (const table of TABLES) {
    found[table] = (await ask(database, `SELECT ${columns} FROM ${schema}.${table} t WHERE ${of}`))
      .map((row) => JSON.stringify(row))
      .sort()
  }
  return found
}

const price = checkedLine({
  ...{ type: 'price_set', provider: null, model: 'gpt-4o', valid_from: '2026-01-01T00:00:00.000Z' },
  ...{ currency: 'usd', per_million: { input: '2', output: '10' }, per_request: null },
  ...{ service_tier: null, min_input_tokens: null, source: 'list' },
})

/** Two hosts, each with requests, completions and a price, projected in turns. */
async function twoHosts({ directory }: Workspace): Promise<[string, string]> {
  const hosts = ['one', 'two'].map((name) => ({ name, journal: join(directory, name) }))
  for (let round = 0; round < 3; round++) {
    for (const { name, journal } of hosts) {
      const request = requestLine(`${name}-${round}`, { streaming: true, policy: 'chat', input_tokens: 9 })
      const end = completionLine(`${name}-${round}`, { success: true, input_tokens: 8, output_tokens: 3 })
      writeSegment(journal, lines(...(round === 1 ? [price] : []), request, end), DAY, name)
      await projectOnce({ journal, database, schema })
    }
  }
  return [hosts[0]?.journal ?? '', hosts[1]?.journal ?? '']
}

describe.skipIf(noPostgres !== null)(
  `replay of journals${noPostgres === null ? '' : ` (${noPostgres})`}`,
  () => {
    beforeAll(async () => {
      database = await sharedPostgres()
      await migratePostgres(postgresAddress(database), schema, { monthsAhead: 1 })
    })

    beforeEach(async () => {
      if (noPostgres !== null) return
      for (const table of [...TABLES, 'journals']) await ask(database, `DELETE FROM ${schema}.${table}`)
    })

    test('a replay of one gives its rows the same ids, and touches no row of another', async ({
      workspace,
    }) => {
      const [one, two] = await twoHosts(workspace)
      const untouched = await rowsOf('two')
      const ids = `SELECT id, correlation_id FROM ${schema}.requests ORDER BY id`
      const before = await ask(database, ids)
      expect(before).toHaveLength(6)
      await replay({ journal: one, database, schema })
      expect(await ask(database, ids)).toEqual(before)
      expect(await rowsOf('two')).toEqual(untouched)
      for (const journal of [one, two]) {
        expect(await findFleetDifferences({ address: database, schema, journal })).toEqual([])
      }
    })

    test('a replay of all, each on its host, gives what was there', async ({ workspace }) => {
      const hosts = await twoHosts(workspace)
      const columns = "to_jsonb(t) - 'id' - 'dimension_id' - 'counter_id' - 'caught_up_at' AS row"
      const before = [await rowsOf('one', columns), await rowsOf('two', columns)]
      await Promise.all(hosts.map((journal) => replay({ journal, database, schema })))
      const after = [await rowsOf('one', columns), await rowsOf('two', columns)]
      // A replay writes the bytes of a segment in one chunk, and prices every request at its last price.
      const compared = ({ journal_chunks: _, request_counters: __, ...rest }: Record<string, unknown>) => rest
      expect(after.map(compared)).toEqual(before.map(compared))
      for (const journal of hosts) {
        expect(await findFleetDifferences({ address: database, schema, journal })).toEqual([])
      }
    })

    test('a completion finds its request as the one before it has left it', async ({ workspace }) => {
      const { journal } = workspace
      const ends = [false, true, null, true].map((success, n) =>
        completionLine('a', { success, output_tokens: n }),
      )
      writeSegment(journal, lines(requestLine('a', { streaming: true }), ...ends))
      await projectOnce({ journal, database, schema })
      await replay({ journal, database, schema })
      expect(await verify({ journal, database, schema })).toMatchObject({
        ok: true,
        superseded: 3,
        problems: [],
      })
    })

    test('other hosts go on while a replay is open, and readers see the old rows until it commits', async ({
      workspace,
    }) => {
      const [one, two] = await twoHosts(workspace)
      const before = await rowsOf('one')
      const store = await openStore(database, { purpose: 'replay', journalId: 'one', schema })
      try {
        const open = await store.beginRebuild({ before: [], rollupLabels: undefined })
        writeSegment(two, lines(requestLine('two-more')), DAY, 'two')
        expect((await projectOnce({ journal: two, database, schema })).projected).toBe(1)
        expect(await rowsOf('one')).toEqual(before)
        await open.rollback()
      } finally {
        await store.close()
      }
      expect(await rowsOf('one')).toEqual(before)
      expect(await findFleetDifferences({ address: database, schema, journal: two })).toEqual([])
      const [last] = await ask(
        database,
        `SELECT max(id) AS id FROM ${schema}.requests WHERE correlation_id = 'two-more'`,
      )
      expect(Number(last?.['id']) % IDS_PER_JOURNAL).toBe(4)
      await projectOnce({ journal: one, database, schema })
    })

    test('readers go on while a replay has rows of months without a partition', async ({ workspace }) => {
      const { journal } = workspace
      const timestamps = ['2020-02-03T00:00:00Z', '2020-03-04T00:00:00Z']
      for (const [index, timestamp] of timestamps.entries()) {
        writeSegment(
          journal,
          lines(requestLine(`old-${index}`, { timestamp })),
          `2026-11-0${index + 1}.ndjson`,
        )
      }
      const reader = openDatabaseReadOnly(database as 'postgres://', { schema })
      const count = reader.prepare<[], number>('SELECT count(*) FROM requests').pluck()
      const counts: (number | undefined)[] = []
      try {
        await replay({
          ...{ journal, database, schema },
          onProgress: () => {
            reader.setDeadline(performance.now() + 2000, () => new Error('the reader waits for the replay'))
            counts.push(count.get())
          },
        })
      } finally {
        reader.close()
      }
      expect(counts).toEqual([0, 0, 2])
      const partition = `SELECT to_regclass('${schema}.requests_2026_11') IS NOT NULL AS is_there`
      expect(await ask(database, partition)).toEqual([{ is_there: true }])
      expect(await verify({ journal, database, schema })).toMatchObject({ ok: true })
    })

    test('the labels of roll-ups are those of all journals, and no replay of one changes them', async ({
      workspace,
    }) => {
      const [one, two] = await twoHosts(workspace)
      const asked = { journal: one, database, schema, rollupLabels: ['team'] }
      await expect(replay(asked)).rejects.toMatchObject({
        code: 'OTHER_ROLLUP_LABELS',
        message: expect.stringContaining('other journals'),
      })
      expect(await ask(database, `SELECT name FROM ${schema}.rollup_labels`)).toEqual([{ name: 'tier' }])
      await replay({ ...asked, rollupLabels: ['tier'] })
      for (const journal of [one, two]) {
        expect(await findFleetDifferences({ address: database, schema, journal })).toEqual([])
      }
    })
  },
)

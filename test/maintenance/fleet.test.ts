import { randomUUID } from 'node:crypto'
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest'
import { reconcile, reprice, status } from '../../src/maintenance/index.js'
import { projectOnce, startProjector } from '../../src/projection/index.js'
import { postgresAddress } from '../../src/store/postgres/connection/address.js'
import { Connection } from '../../src/store/postgres/connection/connection.js'
import { migratePostgres } from '../../src/store/postgres/schema/migrations.js'
import { EMPTY } from '../store/postgres/support.js'
import { runHere } from '../support/command.js'
import { DAY, lines, writeSegment } from '../support/journal-files.js'
import { checkedLine, completionLine, requestLine } from '../support/lines.js'
import { noPostgres, sharedPostgres } from '../support/postgres.js'
import { test } from '../support/workspace.js'

const schema = `maintenance_${randomUUID().replaceAll('-', '')}`
let database = ''
let writer: Connection

function priceLine(input: string, valid_from = '2026-01-01T00:00:00.000Z'): string {
  return checkedLine({
    ...{ type: 'price_set', provider: null, model: 'gpt-4o', valid_from, currency: 'usd' },
    ...{
      per_million: { input, output: '10' },
      per_request: null,
      service_tier: null,
      min_input_tokens: null,
    },
    source: 'test',
  })
}

describe.skipIf(noPostgres !== null)(
  `commands about one journal of many${noPostgres === null ? '' : ` (${noPostgres})`}`,
  () => {
    beforeAll(async () => {
      database = await sharedPostgres()
      await migratePostgres(postgresAddress(database), schema, { monthsAhead: 1 })
      writer = await Connection.open({ address: postgresAddress(database), schema, purpose: 'test' })
    })

    beforeEach(async () => {
      if (noPostgres === null) await writer.transaction(() => writer.exec(EMPTY))
    })

    afterAll(async () => await writer?.close())

    test('status says of one journal what it says over a file, and lists the others', async ({
      workspace,
    }) => {
      const { journal } = workspace
      const text = lines(requestLine('a'), requestLine('a'), completionLine('none'), 'garbage')
      writeSegment(journal, text, '2026-11-21.ndjson')
      writeSegment(journal, lines(requestLine('b')))
      writeSegment(join(workspace.directory, 'other'), lines(requestLine('c')), DAY, 'another')
      await projectOnce({ journal: join(workspace.directory, 'other'), database, schema })
      await projectOnce({ journal, database, schema })
      await projectOnce(workspace)
      appendFileSync(join(journal, DAY), lines(requestLine('d')))
      const inFile = await status(workspace)
      const { database: found, ...rest } = await status({ journal, database, schema })
      const { database: expected, ...expectedRest } = inFile
      expect({ ...rest, lag_seconds: 0 }).toEqual({ ...expectedRest, lag_seconds: 0 })
      expect(rest.lag_bytes).toBeGreaterThan(0)
      expect(found).toEqual({
        ...expected,
        path: database,
        more_journals: 0,
        other_journals: [
          {
            journal_id: 'another',
            host: expect.any(String),
            last_seen: expect.stringMatching(/^20.*Z$/),
            caught_up_at: expect.stringMatching(/^20.*Z$/),
            projector_running: false,
          },
        ],
      })
      const shown = await runHere(['status', '--journal', journal, '--db', database, '--schema', schema])
      expect(shown.stderr).toBe('')
      expect(shown.status).toBe(0)
      expect(shown.stdout).toMatch(/other journals +host +last seen.*\nanother /)
      await projectOnce(workspace)
    })

    test('status sees the projectors that are connected, and a journal that was never projected', async ({
      workspace,
    }) => {
      const { journal, directory } = workspace
      const other = join(directory, 'other')
      writeSegment(journal, lines(requestLine('a')))
      writeSegment(other, lines(requestLine('b')), DAY, 'another')
      expect((await status({ journal, database, schema })).database).toMatchObject({
        ...{ requests: 0, projector_running: false, other_journals: [], more_journals: 0 },
      })
      const projector = await startProjector({ journal, database, schema })
      try {
        const of = async (journal: string) => (await status({ journal, database, schema })).database
        expect((await of(journal))?.projector_running).toBe(true)
        expect(await of(other)).toMatchObject({
          projector_running: false,
          other_journals: [{ journal_id: 'test-journal', projector_running: true }],
        })
      } finally {
        await projector.stop()
      }
    })

    test('reprice takes the prices of each journal for its own requests', async ({ workspace }) => {
      const { directory } = workspace
      for (const [host, input] of ['1', '3'].entries()) {
        const journal = join(directory, `host-${host}`)
        const request = requestLine('a', { provider: 'openai', input_tokens: 1_000_000, output_tokens: 0 })
        writeSegment(journal, lines(priceLine(input), request), DAY, `journal-${host}`)
        await projectOnce({ journal, database, schema })
      }
      const { total } = await reprice({ database, schema })
      expect(total).toMatchObject({ requests: 2, changed: 0, new: { usd: 4 } })
      const command = ['reprice', '--dry-run', '--db', database, '--schema', schema, '--json']
      expect((await runHere(command)).json).toMatchObject({ total: { requests: 2, old: { usd: 4 } } })
      // A list is compared with the prices of the journal that its events are for.
      const list = join(directory, 'list.csv')
      writeFileSync(
        list,
        'model,currency,input,output,valid_from\ngpt-4o,usd,3,10,2026-01-01T00:00:00.000Z\n',
      )
      for (const [host, counts] of [
        { new: 0, changed: 1, unchanged: 0 },
        { new: 0, changed: 0, unchanged: 1 },
      ].entries()) {
        const asked = [
          'prices',
          'import',
          '--from',
          'csv',
          list,
          '--journal',
          join(directory, `host-${host}`),
        ]
        const { json, stderr } = await runHere([
          ...asked,
          '--db',
          database,
          '--schema',
          schema,
          '--used',
          '--json',
        ])
        expect(stderr).toBe('')
        const found = [json['new'], json['changed']].map((changes) => (changes as unknown[]).length)
        expect([...found, json['unchanged']]).toEqual([counts.new, counts.changed, counts.unchanged])
      }
      const bill = join(directory, 'bill.csv')
      writeFileSync(bill, 'day,model,usd\n2026-11-22,gpt-4o,4.5\n')
      const columns = { date: 'day', model: 'model', cost: 'usd' }
      const compared = await reconcile({ database, schema, bill, columns })
      expect(compared).toMatchObject({ total: { billed: '4.5', logged: '4', requests: 2 }, to_reprice: 0 })
      const named = Object.entries(columns).flatMap(([name, column]) => [`--${name}-column`, column])
      const told = ['reconcile', '--db', database, '--schema', schema, '--bill', bill, ...named, '--json']
      expect(await runHere(told)).toMatchObject({ status: 1, json: { over: 1 } })
    })
  },
)

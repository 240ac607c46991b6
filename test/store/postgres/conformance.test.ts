import { randomUUID } from 'node:crypto'
import { afterAll, describe, test } from 'vitest'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { Connection } from '../../../src/store/postgres/connection/connection.js'
import { PostgresStore } from '../../../src/store/postgres/postgres-store.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { conformance, type OpenedStore, type Step } from '../conformance.js'
import { type Row, sorted, type Tables } from '../model.js'
import { EMPTY } from './support.js'

if (noPostgres === null) conformance('PostgresStore', open, 3)
else describe.skip('PostgresStore', () => test.skip(noPostgres ?? ''))

/** One schema is emptied for each test, by one session, which knows its tables already. */
const schema = `conformance_${randomUUID().replaceAll('-', '')}`
let session: Connection | null = null

afterAll(async () => await session?.close())

async function startSession(address: string): Promise<Connection> {
  await migratePostgres(postgresAddress(address), schema, { monthsAhead: 1 })
  return await Connection.open({ address: postgresAddress(address), schema, purpose: 'test' })
}

async function open(): Promise<OpenedStore> {
  const address = await sharedPostgres()
  session ??= await startSession(address)
  const other = session
  const openStore = () =>
    PostgresStore.open({
      address,
      schema,
      journalId: 'j',
      version: '0',
      purpose: 'project',
      lockTimeoutMs: 200,
    })
  const store = await openStore()
  const inOther = <T>(action: () => Promise<T>) => other.transaction(action)
  return {
    store,
    tables: () => inOther(() => readTables(other)),
    openAgain: openStore,
    failAt: async (step) => {
      await inOther(() => other.exec(FAILURES[step]))
      return () => inOther(() => other.exec(`DROP TRIGGER failure ON ${TABLES[step]}`))
    },
    remove: async () => {
      await store.close()
      await inOther(() => other.exec(EMPTY))
    },
  }
}

const TABLES: Record<Step, string> = {
  insert: 'requests',
  complete: 'requests',
  hold: 'held_completions',
  reject: 'rejected_lines',
  sum: 'rollup_totals',
  advance: 'journal_segments',
  commit: 'journals',
}

const REFUSE = `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'injected'; END $$;`

const failure = (step: Step, event: string) =>
  `${REFUSE} CREATE TRIGGER failure BEFORE ${event} ON ${TABLES[step]} FOR EACH ROW EXECUTE FUNCTION refuse()`

const FAILURES: Record<Step, string> = {
  insert: failure('insert', 'INSERT'),
  complete: failure('complete', 'UPDATE'),
  hold: failure('hold', 'INSERT'),
  reject: failure('reject', 'INSERT'),
  sum: failure('sum', 'INSERT'),
  advance: failure('advance', 'UPDATE OF projected_bytes'),
  // Only checked by COMMIT.
  commit: `${REFUSE} CREATE CONSTRAINT TRIGGER failure AFTER UPDATE ON journals
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`,
}

async function readTables(connection: Connection): Promise<Tables> {
  const rows = async (sql: string) => (await connection.all<Row>(sql)).map(withTypes)
  const [{ number: journal } = { number: 1 }] = await connection.all<{ number: number }>(
    'SELECT number FROM journals',
  )
  const names = new Map(
    (await rows('SELECT key, name FROM rollup_names')).map(({ key, name }) => [key, name]),
  )
  const latencies = `FROM rollups r JOIN rollup_latencies l USING (journal, grain, period, dimension_id)
    JOIN rollup_dimensions d ON d.journal = r.journal AND d.id = r.dimension_id`
  const withoutJournal = ({ journal: _, ...row }: Row) => row
  const firstId = journal * 2 ** 36
  const ordinal = (row: Row, name: string): Row => ({ ...row, [name]: Number(row[name]) - firstId })
  return {
    requests: (await rows('SELECT * FROM requests ORDER BY id')).map((row) =>
      ordinal(withoutJournal(row), 'id'),
    ),
    held: (await rows('SELECT * FROM held_completions ORDER BY segment_id, byte_offset')).map(withoutJournal),
    superseded: (await rows('SELECT * FROM superseded_completions ORDER BY segment_id, byte_offset')).map(
      (row) => ordinal(withoutJournal(row), 'request_id'),
    ),
    rejected: (await rows('SELECT * FROM rejected_lines ORDER BY segment_id, byte_offset')).map(
      withoutJournal,
    ),
    segments: await rows(
      `SELECT id, lines, repeated_completions AS repeated, ambiguous_completions AS ambiguous
       FROM journal_segments ORDER BY id`,
    ),
    ratios: sorted(await rows('SELECT * FROM token_ratios')),
    rollups: sorted(
      (
        await rows(
          `SELECT r.grain, r.period, d.model, d.provider, d.policy, d.labels, r.*, l.buckets ${latencies}`,
        )
      ).map(({ dimension_id, journal: _, ...row }) => row),
    ),
    totals: sorted(
      (
        await rows(
          `SELECT grain, period, grouped_by, group_name AS name, t.*, l.buckets FROM rollup_totals t
           JOIN rollup_total_latencies l USING (journal, grain, period, grouped_by, group_name)`,
        )
      ).map(({ group_name, journal: _, ...row }) => ({ ...row, name: nameOf(String(group_name), names) })),
    ),
    counters: sorted(
      (await rows('SELECT model, provider, policy, c.* FROM request_counters c')).map(
        ({ id, key, journal: _, ...row }) => row,
      ),
    ),
    latency_counters: sorted(
      await rows(
        `SELECT model, provider, policy, le_ms, l.requests FROM latency_counters l
         JOIN request_counters c ON c.id = l.counter_id`,
      ),
    ),
  }
}

function nameOf(groupName: string, names: ReadonlyMap<unknown, unknown>): unknown {
  if (groupName === '') return null
  return groupName.startsWith('#') ? names.get(groupName) : groupName.slice(1)
}

/** A row with the types that the model has. */
function withTypes({ buckets, ...row }: Row): Row {
  const typed: Row = { ...row }
  if (typeof row['labels'] === 'string') typed['labels'] = JSON.parse(row['labels'])
  if ('failures' in row) {
    for (const currency of ['sats', 'usd']) {
      for (const prefix of ['', 'corrected_']) {
        const cost = row[`${prefix}cost_${currency}`]
        if (cost === undefined) continue
        typed[`${prefix}cost_nano${currency}`] = 0
      }
    }
  }
  if (Buffer.isBuffer(buckets)) typed['latencies'] = countsOf(buckets)
  return typed
}

function countsOf(buckets: Buffer): Row {
  const counts: Row = {}
  for (let at = 0; at < buckets.length; at += 6) {
    counts[buckets.readUInt16BE(at)] = buckets.readUInt32BE(at + 2)
  }
  return counts
}

import { randomUUID } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest'
import { type DoctorCheck, doctor } from '../../../src/maintenance/index.js'
import { projectOnce, startProjector } from '../../../src/projection/index.js'
import { postgresAddress } from '../../../src/store/postgres/connection/address.js'
import { Connection } from '../../../src/store/postgres/connection/connection.js'
import { migratePostgres } from '../../../src/store/postgres/schema/migrations.js'
import { EMPTY } from '../../store/postgres/support.js'
import { runHere } from '../../support/command.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { completionLine, requestLine } from '../../support/lines.js'
import { noPostgres, sharedPostgres } from '../../support/postgres.js'
import { TcpProxy } from '../../support/tcp-proxy.js'
import { test } from '../../support/workspace.js'

const name = randomUUID().replaceAll('-', '')
const schema = `doctor_${name}`
const role = `doctor_reader_${name}`
let database = ''
let owner: Connection

async function run(sql: string): Promise<void> {
  await owner.transaction(() => owner.exec(sql))
}

const OF_ROWS = [
  ...[
    'rejected_lines',
    'held_completions',
    'completions',
    'unfinished_streams',
    'inconsistent_usage',
    'lines',
  ],
  ...['lag', 'missing_segments', 'positions'],
]

/** What two doctors say alike of a journal's rows, but for the ids of rows. */
function ofRows(checks: readonly DoctorCheck[]): unknown {
  return checks
    .filter(({ check }) => OF_ROWS.includes(check))
    .map((check) => ({ ...check, items: check.items.map((item) => item.replace(/row \d+/, 'row')) }))
}

async function check(journal: string, check: string, address = database): Promise<DoctorCheck | undefined> {
  const { checks } = await doctor({ journal, database: address, schema })
  return checks.find((one) => one.check === check)
}

describe.skipIf(noPostgres !== null)(
  `doctor over PostgreSQL${noPostgres === null ? '' : ` (${noPostgres})`}`,
  () => {
    beforeAll(async () => {
      database = await sharedPostgres()
      await migratePostgres(postgresAddress(database), schema, { monthsAhead: 3 })
      owner = await Connection.open({ address: postgresAddress(database), schema, purpose: 'test' })
      await run(`CREATE ROLE ${role} LOGIN; GRANT USAGE ON SCHEMA ${schema} TO ${role};
        GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role}`)
    })

    beforeEach(async () => {
      if (noPostgres === null) await run(EMPTY)
    })

    afterAll(async () => {
      if (owner === undefined) return
      await run(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
      await owner.close()
    })

    test('a healthy journal and its part of the server', async ({ workspace }) => {
      const { journal } = workspace
      writeSegment(journal, lines(requestLine('a'), requestLine('b')))
      await projectOnce({ journal, database, schema })
      const report = await doctor({ journal, database, schema })
      expect(report).toMatchObject({ healthy: true, database })
      const found = Object.fromEntries(
        report.checks.map(({ check, level, found }) => [check, [level, found]]),
      )
      expect(found).toMatchObject({
        server: ['ok', expect.stringMatching(/^PostgreSQL 1\d\S* .*takes writes$/)],
        clock: ['ok', expect.stringContaining('this host')],
        schema: ['ok', expect.stringContaining(schema)],
        // The tests' own user is a superuser.
        rights: ['note', expect.stringContaining('a superuser')],
        partitions: ['ok', expect.stringMatching(/^\d months, the last is 20\d\d-\d\d$/)],
        chunks: ['ok', expect.stringContaining('1 segment are kept')],
        projector: ['note', expect.stringMatching(/^not running; the last commit was at 20/)],
        lag: ['ok', expect.any(String)],
        positions: ['ok', expect.any(String)],
      })
      const told = await runHere(['doctor', '--journal', journal, '--db', database, '--schema', schema])
      expect(told).toMatchObject({ status: 0, stderr: '' })
      const projector = await startProjector({ journal, database, schema })
      expect(await check(journal, 'projector')).toMatchObject({ level: 'ok' })
      await projector.stop()
    })

    test('says of the rows of one journal what it says over a file, whatever others hold', async ({
      workspace,
    }) => {
      const { journal, directory } = workspace
      const text = lines(
        requestLine('a'),
        requestLine('i', { input_tokens: 5, cache_read_input_tokens: 9 }),
        requestLine('s', { streaming: true }),
        completionLine('a', { success: true }),
        completionLine('a', { success: true }),
        completionLine('none', { timestamp: '2026-11-20T00:00:00.000Z' }),
        'garbage',
        '{"model":"m","latency_ms":1,"success":true}',
      )
      writeSegment(journal, text, '2026-11-20.ndjson')
      const other = join(directory, 'other')
      writeSegment(other, text + text, DAY, 'another')
      for (const one of [other, journal]) await projectOnce({ journal: one, database, schema })
      await projectOnce(workspace)
      writeSegment(journal, lines(requestLine('pending')), '2026-11-20.ndjson')
      const [inFile, shared] = [await doctor(workspace), await doctor({ journal, database, schema })]
      const withoutTime = (checks: readonly DoctorCheck[]) =>
        JSON.parse(JSON.stringify(ofRows(checks)).replaceAll(/for [\d.]+ s/g, 'for … s'))
      expect(withoutTime(shared.checks)).toEqual(withoutTime(inFile.checks))
      const levels = (ofRows(shared.checks) as DoctorCheck[]).filter(({ level }) => level !== 'ok')
      expect(levels.map(({ check }) => check)).toEqual(
        expect.arrayContaining([
          'rejected_lines',
          'held_completions',
          'completions',
          'inconsistent_usage',
          'lag',
        ]),
      )
      await projectOnce(workspace)
    })

    test('bytes that aren’t kept are named by segment', async ({ workspace }) => {
      const { journal } = workspace
      writeSegment(journal, lines(requestLine('a')), '2026-11-20.ndjson')
      await projectOnce({ journal, database, schema, chunks: false })
      expect(await check(journal, 'chunks')).toMatchObject({
        level: 'note',
        found: expect.stringContaining('--no-chunks'),
      })
      writeSegment(journal, lines(requestLine('b')), '2026-11-21.ndjson')
      writeSegment(journal, lines(requestLine('c')), '2026-11-20.ndjson')
      await projectOnce({ journal, database, schema })
      const bytes = requestLine('a').length + 1
      expect(await check(journal, 'chunks')).toMatchObject({
        found: "bytes of 1 segment aren't kept",
        items: [`2026-11-20.ndjson: 0 of ${bytes * 2} bytes`],
      })
    })

    test('a row outside of its month’s partition', async ({ workspace }) => {
      const { journal } = workspace
      writeSegment(journal, lines(requestLine('a', { timestamp: '2031-05-01T00:00:00.000Z' })))
      await projectOnce({ journal, database, schema })
      await run(`CREATE TEMP TABLE moved AS SELECT * FROM requests; DELETE FROM requests;
        ALTER TABLE requests DETACH PARTITION requests_2031_05; DROP TABLE requests_2031_05;
        INSERT INTO requests SELECT * FROM moved; DROP TABLE moved`)
      expect(await check(journal, 'partitions')).toMatchObject({
        level: 'note',
        found: '1 row outside the partitions of their months',
        advice: expect.stringContaining('request-journal migrate'),
      })
      await migratePostgres(postgresAddress(database), schema, { monthsAhead: 3 })
      expect(await check(journal, 'partitions')).toMatchObject({ level: 'ok' })
    })

    test('the rights of a role that lacks some, or has none but to read', async ({ workspace }) => {
      const { journal } = workspace
      writeSegment(journal, lines(requestLine('a')))
      await projectOnce({ journal, database, schema })
      const as = database.replace('tester@', `${role}@`)
      expect(await check(journal, 'rights', as)).toMatchObject({
        level: 'note',
        found: `${role} may only read`,
      })
      await run(`GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role};
        REVOKE DELETE ON held_completions FROM ${role}`)
      expect(await check(journal, 'rights', as)).toMatchObject({
        level: 'problem',
        found: `${role} may not write to 1 table`,
        items: ['held_completions'],
      })
      await run(`GRANT DELETE ON held_completions TO ${role}`)
      expect(await check(journal, 'rights', as)).toMatchObject({
        level: 'problem',
        found: expect.stringContaining('make_requests_partition'),
      })
      await run(`GRANT EXECUTE ON FUNCTION make_requests_partition TO ${role}`)
      expect(await check(journal, 'rights', as)).toMatchObject({ level: 'ok' })
    })

    test('since when a projector waits for the server, and how much isn’t projected', async ({
      workspace,
    }) => {
      const { journal } = workspace
      const serverPort = Number(new URL(database).port)
      let proxy = await TcpProxy.start(serverPort)
      const { port } = proxy
      const address = database.replace(/:\d+\//, `:${port}/`)
      const hasNote = () => readdirSync(journal).some((file) => file.startsWith('.waiting-'))
      const line = lines(requestLine('a'))
      writeSegment(journal, line)
      const startedAt = new Date().toISOString()
      const projector = await startProjector({ journal, database: address, schema })
      try {
        const count = () => owner.one<{ n: number }>('SELECT count(*)::int AS n FROM requests')
        while ((await owner.transaction(count))?.n !== 1) await setTimeout(20)
        // The doctor blocks this thread, in which a proxy that listens would let it wait for 10 s.
        await proxy.stop()
        writeSegment(journal, line + line)
        while (!hasNote()) await setTimeout(20)
        const { checks } = await doctor({ journal, database: address, schema })
        expect(checks.filter(({ level }) => level === 'problem').map(({ check }) => check)).toEqual([
          'database',
          'projector',
        ])
        const [, since = '', bytes] =
          /since (\S+) \(\d minutes?\), and (\d+) bytes aren't projected: /.exec(
            checks.find(({ check }) => check === 'projector')?.found ?? '',
          ) ?? []
        expect(since > startedAt).toBe(true)
        expect(Number(bytes)).toBe(2 * line.length)
        proxy = await TcpProxy.start(serverPort, port)
        while (hasNote()) await setTimeout(20)
        expect(await check(journal, 'projector')).toMatchObject({ level: 'ok' })
      } finally {
        await projector.stop()
        await proxy.stop()
      }
    })

    test('a server that is away, a schema without tables and an unknown journal are findings', async ({
      workspace,
    }) => {
      const { journal } = workspace
      writeSegment(journal, lines(requestLine('a')))
      const away = await doctor({ journal, database: 'postgres://nobody@127.0.0.1:1/none' })
      expect(away.healthy).toBe(false)
      expect(away.checks).toContainEqual(
        expect.objectContaining({
          check: 'database',
          level: 'problem',
          found: expect.stringContaining('reached'),
        }),
      )
      expect(away.checks.map(({ check }) => check)).toContain('segment_tails')
      const nowhere = await doctor({ journal, database, schema: 'nowhere' })
      expect(nowhere.checks).toContainEqual(
        expect.objectContaining({
          check: 'database',
          found: expect.stringContaining('request-journal migrate'),
        }),
      )
      expect(await check(journal, 'projector')).toMatchObject({
        level: 'note',
        found: expect.stringContaining("doesn't know this journal"),
      })
    })
  },
)

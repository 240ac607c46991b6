import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { projectOnce } from '../../src/projection/index.js'
import { modelCosts } from '../../src/queries/costs/model-costs.js'
import {
  exportRequests,
  getRequestsOf,
  type ListRequestsOptions,
  listNames,
  listRejected,
  listRequests,
  openDatabaseReadOnly,
  PostgresError,
  prices,
  type QueryDatabase,
  QueryError,
  type RequestCursorPage,
  series,
  stats,
  unpriced,
} from '../../src/queries/index.js'
import { postgresAddress } from '../../src/store/postgres/connection/address.js'
import { Connection } from '../../src/store/postgres/connection/connection.js'
import { QueryThread } from '../../src/store/postgres/query/query-thread.js'
import { IDS_PER_JOURNAL } from '../../src/store/postgres/row-ids.js'
import { migratePostgres } from '../../src/store/postgres/schema/migrations.js'
import { EMPTY } from '../store/postgres/support.js'
import { runHere } from '../support/command.js'
import { putEmptyDatabase } from '../support/empty-database.js'
import { writeSegment } from '../support/journal-files.js'
import { checkedLine, completionLine, requestLine } from '../support/lines.js'
import { noPostgres, sharedPostgres } from '../support/postgres.js'
import { runs } from '../support/runs.js'
import { filter, rows } from './arbitrary-rows.js'
import type { ReferenceRow } from './reference.js'

const schema = `queries_${randomUUID().replaceAll('-', '')}`
const directory = mkdtempSync(join(tmpdir(), 'request-journal-engines-'))
let address = ''
let writer: Connection
/** The journal that the file of the current comparison is projected from. */
let fileJournal = ''

describe.skipIf(noPostgres !== null)('a journal in SQLite and in PostgreSQL', () => {
  beforeAll(async () => {
    address = await sharedPostgres()
    await migratePostgres(postgresAddress(address), schema, { monthsAhead: 1 })
    writer = await Connection.open({ address: postgresAddress(address), schema, purpose: 'test' })
  })

  afterAll(async () => {
    await writer?.close()
    rmSync(directory, { recursive: true, force: true })
  })

  test('answers every question alike, whatever the journal', async () => {
    await fc.assert(
      fc.asyncProperty(
        rows.map((drawn) => drawn.filter(({ timestamp }) => timestamp.endsWith('Z'))),
        fc.array(priceLine, { maxLength: 4 }),
        fc.array(question, { minLength: 12, maxLength: 12 }),
        async (drawn, prices, questions) => {
          const text = [...prices, ...drawn.flatMap(linesOf), 'garbage'].map((line) => `${line}\n`).join('')
          await withBoth([text], (sqlite, postgres) => expectSame(questions, sqlite, postgres))
        },
      ),
      { ...runs(4), endOnFailure: true },
    )
  }, 60_000)

  test('sums are the same when two hosts had each a part of the requests', async () => {
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.array(sumQuestion, { minLength: 8, maxLength: 8 }),
        async (drawn, questions) => {
          await withBoth(partsOf(drawn), (sqlite, postgres) => expectSame(questions, sqlite, postgres))
        },
      ),
      { ...runs(3), endOnFailure: true },
    )
  }, 60_000)

  test('a question about one journal of two is answered as by the file of that journal alone', async () => {
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.array(journalQuestion, { minLength: 8, maxLength: 8 }),
        async (drawn, questions) => {
          await withBoth(partsOf(drawn), async (_, postgres, file) => {
            const alone = join(dirname(file), 'alone.db')
            putEmptyDatabase(alone)
            await projectOnce({ journal: join(dirname(file), 'host-1'), database: alone })
            const sqlite = openDatabaseReadOnly(alone)
            await expectSame(questions, sqlite, postgres, withoutCurrencies)
            sqlite.close()
          })
        },
      ),
      { ...runs(3), endOnFailure: true },
    )
  }, 60_000)

  test('the groups of journals add up to the whole, and are named by their hosts', async () => {
    const texts = ['a', 'b'].map((host) => `${requestLine(host, { cost_sats: 1 })}\n`)
    await withBoth([texts.join(''), texts[1] ?? ''], async (_, postgres) => {
      const counts = () => {
        const { journals = {} } = stats(postgres, { groupBy: 'journal', provider: undefined })
        return Object.entries(journals).map(([name, { counts }]) => [name, counts.total])
      }
      // Both are of this machine.
      expect(counts()).toEqual([
        ['test-journal-0', 2],
        ['test-journal-1', 1],
      ])
      const rename = (host: string, id: string) =>
        writer.transaction(() => writer.run('UPDATE journals SET host = $1 WHERE journal_id = $2', host, id))
      await rename('web-1', 'test-journal-0')
      await rename('web-2', 'test-journal-1')
      expect(counts()).toEqual([
        ['web-1', 2],
        ['web-2', 1],
      ])
      expect(listNames(postgres, { dimension: 'journal', prefix: 'WEB' }).names).toEqual([
        { name: 'web-1', requests: 2 },
        { name: 'web-2', requests: 1 },
      ])
      for (const journal of ['web-1', 'test-journal-0']) {
        expect(listRequests(postgres, { journal }).total).toBe(2)
        expect([...exportRequests(postgres, { journal })]).toHaveLength(2)
        const window = { since: '2026-11-20T00:00:00Z', until: '2026-11-24T00:00:00Z' }
        expect(series(postgres, { ...window, journal, by: 'journal' }).cost_sats).toHaveProperty('web-1')
      }
      expect(() => stats(postgres, { journal: 'web-3' })).toThrow(
        expect.objectContaining({ code: 'JOURNAL_NOT_FOUND', message: "Journal 'web-3' not found" }),
      )
    })
  })

  test('a question that takes too long is ended by the server', async () => {
    await withBoth([`${requestLine('a')}\n`], async (_, postgres) => {
      postgres.setDeadline?.(performance.now() + 50, () => new QueryError('TIMED_OUT', 'too long'))
      expect(() => postgres.transaction(() => postgres.prepare('SELECT pg_sleep(60)').all())()).toThrow(
        expect.objectContaining({ code: 'TIMED_OUT' }),
      )
      expect(stats(postgres).counts.total).toBe(1)
    })
  })

  test('rows are read page by page, also by two statements at once', async () => {
    await withBoth([''], async (_, postgres) => {
      const numbers = postgres.prepare<[number], number>('SELECT * FROM generate_series(1, ?::int)').pluck()
      let sum = 0
      for (const number of numbers.iterate(5000)) {
        sum += number
        if (number % 1000 === 0) for (const inner of numbers.iterate(3000)) if (inner === 2500) break
      }
      expect(sum).toBe((5000 * 5001) / 2)
      expect(numbers.all(2)).toEqual([1, 2])
    })
  })

  test('a connection that the server has closed is opened again for the next question', async () => {
    await withBoth([`${requestLine('a')}\n`], async (_, postgres) => {
      const pid = postgres.prepare<[], number>('SELECT pg_backend_pid()').pluck().get()
      await writer.transaction(() => writer.run('SELECT pg_terminate_backend($1)', pid ?? 0))
      const ask = () => stats(postgres).counts.total
      const answers = [answerOf(ask), answerOf(ask), answerOf(ask)]
      expect((await Promise.all(answers)).at(-1)).toBe(1)
    })
  })

  test('a question fails whose connection was lost between two statements', async () => {
    await withBoth([''], async (_, postgres) => {
      const pid = postgres.prepare<[], number>('SELECT pg_backend_pid()').pluck()
      const other = openDatabaseReadOnly(address as 'postgres://', { schema })
      const question = postgres.transaction(() => {
        other.prepare(`SELECT pg_terminate_backend(${pid.get()})`).all()
        // Until the end has been heard of, which takes no statement of this connection.
        other.prepare('SELECT pg_sleep(0.1)').all()
        return pid.get()
      })
      expect(question).toThrow(expect.objectContaining({ code: 'SERVER_AWAY' }))
      other.close()
      expect(postgres.transaction(() => pid.get())()).toEqual(expect.any(Number))
    })
  })

  test('nobody waits for ever for a thread that has ended', () => {
    const thread = new QueryThread(600)
    thread.use(address, schema)
    expect(thread.call({ is: 'connect' }, null)).toEqual({ is: 'done' })
    thread.end()
    expect(thread.call({ is: 'begin' }, null)).toBe('ended')
  })

  test('a thread at work isn’t taken for one that has ended', () => {
    const thread = new QueryThread(600)
    thread.use(address, schema)
    const sql = 'SELECT 1 FROM pg_sleep(1.5)'
    const answer = thread.call({ is: 'read', sql, values: [], hasBigInts: false }, null)
    expect(answer).toMatchObject({ is: 'rows' })
    thread.end()
  })

  test('a thread whose connection was closed serves the next one, which may be to another schema', () => {
    const thread = QueryThread.take(address, schema)
    expect(thread.call({ is: 'connect' }, null)).toEqual({ is: 'done' })
    thread.release(2000)
    const next = QueryThread.take(address, 'nowhere')
    expect(next).toBe(thread)
    expect(next.call({ is: 'connect' }, null)).toMatchObject({ is: 'refused', code: 'SCHEMA_MISSING' })
    next.end()
    expect(QueryThread.take(address, schema)).not.toBe(thread)
  })

  test('commands answer from the address as from the file', async () => {
    const request = requestLine('a', { provider: 'azure', cost_sats: 1.5, labels: { team: 'x' } })
    await withBoth([`${request}\ngarbage\n`], async (_, __, file) => {
      for (const args of [
        ['stats', '--group-by', 'model'],
        ['requests', '--provider', 'AZURE'],
        ['export', '--format', 'ndjson'],
        ['rejected'],
        ['prices', '--at', '2026-11-22T12:00:00Z'],
        ['prices', 'unpriced'],
      ]) {
        const json = args[0] === 'export' ? [] : ['--json']
        const inFile = await runHere([...args, '--db', file, ...json])
        const inPostgres = await runHere([...args, '--db', address, '--schema', schema, ...json])
        expect(inPostgres.stderr, args.join(' ')).toBe('')
        expect(comparable(JSON.parse(inPostgres.stdout))).toEqual(comparable(JSON.parse(inFile.stdout)))
      }
      const shown = await runHere(['show', 'a', '--db', address, '--schema', schema, '--json'])
      expect(JSON.parse(shown.stdout)).toMatchObject([{ correlation_id: 'a', cost: { sats: 1.5 } }])
    })
  })

  test.each([[['redate', '--dry-run']]])('%j refuses an address in one sentence', async (args) => {
    const { status, stderr } = await runHere([...args, '--db', 'postgres://127.0.0.1/none'])
    expect(status).toBe(2)
    expect(stderr).toMatch(/takes the file of an SQLite database only/)
  })

  test('an address without the tables, and one that nobody answers at, are refused with what to do', () => {
    expect(() => openDatabaseReadOnly(address as 'postgres://', { schema: 'nowhere' })).toThrow(
      /no tables of request-journal: run `request-journal migrate`/,
    )
    const away = () => openDatabaseReadOnly('postgres://nobody@127.0.0.1:1/none')
    expect(away).toThrow(PostgresError)
    expect(away).toThrow(expect.objectContaining({ code: 'SERVER_AWAY' }))
  })
})

interface Question {
  name: string
  ask(database: QueryDatabase): unknown
}

const limit = fc.constantFrom(undefined, undefined, 2)
const currency = fc.constantFrom(undefined, 'sats' as const, 'usd' as const)
const timezone = fc.constantFrom(undefined, undefined, 'Europe/Berlin', 'Asia/Kolkata')
const groupBy = fc.constantFrom(
  undefined,
  'model' as const,
  'tier' as const,
  'provider' as const,
  'policy' as const,
  'service_tier' as const,
  'error_status' as const,
  'hour' as const,
  'day' as const,
  'label:team' as const,
)

const aboutStats = fc
  .tuple(filter, groupBy, limit, timezone, fc.boolean(), fc.boolean())
  .map(([asked, group, limit, zone, unknown, onlyMatching]): Question => {
    const grouped = { groupBy: group, limit, onlyMatching, timezone: zone }
    const options = { ...asked, ...grouped, unknown, percentiles: unknown }
    return { name: `stats ${JSON.stringify(options)}`, ask: (database) => stats(database, options) }
  })

const aboutSeries = fc
  .tuple(
    filter,
    fc.constantFrom('minute' as const, 'hour' as const, 'day' as const),
    fc.constantFrom('model' as const, 'provider' as const, 'label:team' as const),
    timezone,
    currency,
    limit,
  )
  .map(([asked, bucket, by, timezone, currency, limit]): Question => {
    const window = { since: '2026-11-20T12:00:00.000Z', until: '2026-11-23T23:00:00.000Z', before: undefined }
    const options = { ...asked, ...window, bucket, by, timezone, currency, limit, unknown: true }
    return { name: `series ${JSON.stringify(options)}`, ask: (database) => series(database, options) }
  })

const aboutList = fc
  .tuple(
    filter,
    fc.constantFrom('timestamp' as const, 'cost_sats' as const, 'latency_ms' as const),
    fc.constantFrom('asc' as const, 'desc' as const),
    fc.constantFrom(1, 2, 7),
  )
  .map(([asked, sort, order, perPage]): Question => {
    const options: ListRequestsOptions = { ...asked, sort, order, perPage, details: true }
    return {
      name: `requests ${JSON.stringify(options)}`,
      ask: (database) => {
        const pages: unknown[] = [listRequests(database, { ...options, cursor: undefined, page: 2 })]
        for (let cursor: string | undefined = 'start'; cursor !== undefined && pages.length < 5; ) {
          const page: RequestCursorPage = listRequests(database, { ...options, cursor })
          cursor = page.next_cursor
          pages.push({ ...page, next_cursor: cursor !== undefined })
        }
        return pages
      },
    }
  })

const aboutExport = fc
  .tuple(filter, fc.constantFrom('id' as const, 'timestamp' as const))
  .map(([asked, order]): Question => {
    const options = { ...asked, order }
    return {
      name: `export ${JSON.stringify(options)}`,
      ask: (database) => [...exportRequests(database, options)],
    }
  })

const aboutNames = fc
  .tuple(
    fc.constantFrom('model', 'provider', 'policy', 'label:tier', 'label:team'),
    fc.constantFrom('', 'G', 'gpt-Ä', 'gpt-ä', 'a', '\u{10ffff}'),
  )
  .map(([dimension, prefix]): Question => {
    const name = `names ${dimension} ${prefix}`
    return { name, ask: (database) => listNames(database, { dimension, prefix }) }
  })

const aboutCosts = filter.chain((asked) =>
  fc.constantFrom<Question>(
    { name: `unpriced ${JSON.stringify(asked)}`, ask: (database) => unpriced(database, asked) },
    { name: 'prices', ask: (database) => prices(database, { at: '2026-11-22T12:00:00.000Z' }) },
    {
      name: `model costs ${JSON.stringify(asked)}`,
      ask: (database) => {
        const options = { ...asked, currency: 'sats' as const, by: 'response_model' as const }
        return database.transaction(() => modelCosts(database, options))()
      },
    },
  ),
)

const aboutOne = fc.constantFrom<Question>(
  {
    // The lines of the file's journal are read from its segments, those of PostgreSQL's from its chunks.
    name: 'requests of c1',
    ask: async (database) => {
      const requests = await getRequestsOf(database, 'c1', { journal: fileJournal })
      return requests.map(({ journal: _, ...request }) => request)
    },
  },
  { name: 'rejected', ask: (database) => listRejected(database, { limit: 10 }) },
)

const sumQuestion = fc.oneof(aboutStats, aboutSeries)

/**
 * The names of another journal are known in PostgreSQL, and not in the file: they aren't asked for. The currencies are
 * those of all journals, whatever the filter: one is asked for.
 */
const ofJournal = filter.map((asked) => ({
  ...asked,
  currency: asked.currency ?? ('sats' as const),
  model: undefined,
  provider: undefined,
  journal: 'test-journal-1',
}))

const journalQuestion = fc.oneof(
  fc
    .tuple(ofJournal, fc.constantFrom('journal' as const, 'tier' as const, 'day' as const, undefined), limit)
    .map(([asked, groupBy, limit]): Question => {
      const options = { ...asked, groupBy, limit, unknown: true, percentiles: true }
      return { name: `stats ${JSON.stringify(options)}`, ask: (database) => stats(database, options) }
    }),
  fc.tuple(ofJournal, fc.constantFrom('journal' as const, 'policy' as const)).map(([asked, by]): Question => {
    const window = { since: '2026-11-20T12:00:00.000Z', until: '2026-11-23T23:00:00.000Z', before: undefined }
    const options = { ...asked, ...window, by, unknown: true }
    return { name: `series ${JSON.stringify(options)}`, ask: (database) => series(database, options) }
  }),
  fc
    .tuple(ofJournal, fc.constantFrom('timestamp' as const, 'latency_ms' as const))
    .map(([asked, sort]): Question => {
      const options: ListRequestsOptions = { ...asked, sort, perPage: 3, page: 1, details: true }
      return {
        name: `requests ${JSON.stringify(options)}`,
        ask: (database) => listRequests(database, { ...options, cursor: undefined }),
      }
    }),
  ofJournal.map((asked): Question => {
    return {
      name: `export ${JSON.stringify(asked)}`,
      ask: (database) => [...exportRequests(database, asked)],
    }
  }),
)
const question = fc.oneof(
  { weight: 4, arbitrary: aboutStats },
  { weight: 3, arbitrary: aboutSeries },
  { weight: 4, arbitrary: aboutList },
  { weight: 2, arbitrary: aboutExport },
  { weight: 2, arbitrary: aboutNames },
  { weight: 2, arbitrary: aboutCosts },
  { weight: 1, arbitrary: aboutOne },
)

const priceLine = fc
  .record({
    model: fc.constantFrom('gpt-4o', 'o3', 'GPT-4o'),
    provider: fc.constantFrom(null, 'azure'),
    currency: fc.constantFrom('usd', 'sats'),
    valid_from: fc.constantFrom('2026-01-01T00:00:00.000Z', '2026-11-22T01:00:00.000Z'),
    per_million: fc.constantFrom(
      null,
      { input: '2.50', output: '10' },
      { output: '0.1', reasoning_output: '7' },
    ),
  })
  .map((price) =>
    checkedLine({
      type: 'price_set',
      per_request: null,
      service_tier: null,
      min_input_tokens: null,
      source: 'test',
      ...price,
    }),
  )

/** The lines of a row, with the completion that it may have. */
function linesOf(row: ReferenceRow): string[] {
  const { id, correlation_id, completed_segment_id, stream_duration_ms, labels, ...columns } = row
  const event = {
    ...columns,
    streaming: row.streaming !== 0,
    success: row.success !== 0,
    labels: textsOf(labels),
  }
  const { timestamp, model, provider, policy, streaming, latency_ms, attempt, labels: _, ...outcome } = event
  const end = completionLine(correlation_id, { ...outcome, attempt, stream_duration_ms })
  return [requestLine(correlation_id, event), ...(completed_segment_id === null ? [] : [end])]
}

function textsOf(labels: string | null): Record<string, string> | undefined {
  if (labels === null || !labels.startsWith('{')) return undefined
  const texts = Object.entries(JSON.parse(labels)).filter(([, value]) => typeof value === 'string')
  return Object.fromEntries(texts) as Record<string, string>
}

/**
 * Projects journals into PostgreSQL, and all of their lines into SQLite as those of one journal.
 */
async function withBoth(
  texts: string[],
  use: (sqlite: QueryDatabase, postgres: QueryDatabase, file: string) => Promise<void>,
): Promise<void> {
  await writer.transaction(() => writer.exec(EMPTY))
  const run = mkdtempSync(join(directory, 'run-'))
  const database = join(run, 'requests.db')
  putEmptyDatabase(database)
  fileJournal = join(run, 'all')
  writeSegment(fileJournal, texts.join(''))
  await projectOnce({ journal: fileJournal, database })
  for (const [host, text] of texts.entries()) {
    const journal = join(run, `host-${host}`)
    writeSegment(journal, text, undefined, `test-journal-${host}`)
    await projectOnce({ journal, database: address, schema })
  }
  const sqlite = openDatabaseReadOnly(database)
  const postgres = openDatabaseReadOnly(address as 'postgres://', { schema })
  try {
    await use(sqlite, postgres, database)
  } finally {
    sqlite.close()
    postgres.close()
    rmSync(run, { recursive: true, force: true })
  }
}

function withoutCurrencies(answer: unknown): unknown {
  return typeof answer === 'object' && answer !== null && 'currencies' in answer
    ? { ...answer, currencies: [] }
    : answer
}

async function expectSame(
  questions: readonly Question[],
  sqlite: QueryDatabase,
  postgres: QueryDatabase,
  comparedPart = (answer: unknown) => answer,
): Promise<void> {
  for (const { name, ask } of questions) {
    const [inPostgres, inFile] = [postgres, sqlite].map((database) =>
      answerOf(async () => comparedPart(await ask(database))),
    )
    expect(await inPostgres, name).toEqual(await inFile)
  }
}

/** The lines of two hosts that had each a part of the requests. A file learns its journal's id from its first line. */
function partsOf(drawn: readonly ReferenceRow[]): string[] {
  const all = drawn.filter(({ timestamp }) => timestamp.endsWith('Z'))
  return [0, 1].map((host) =>
    all
      .filter(({ id }) => id % 2 === host)
      .map((row) => `${linesOf({ ...row, model: row.model.toLowerCase() })[0]}\n`)
      .concat('garbage\n')
      .join(''),
  )
}

/** What a question gave, with ids as ordinals in the journal, or the error. */
async function answerOf(ask: () => unknown): Promise<unknown> {
  try {
    return comparable(await ask())
  } catch (error) {
    if (error instanceof QueryError) return `${error.code}: ${error.message}`
    if (error instanceof PostgresError) return `${error.code}: ${error.message}`
    throw error
  }
}

function comparable(value: unknown): unknown {
  if (value instanceof Map) return new Map([...value].map(([key, of]) => [key, comparable(of)]))
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, of]) => [
      name,
      name === 'id' && typeof of === 'number' ? of % IDS_PER_JOURNAL : comparable(of),
    ]),
  )
}

import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import SQLite from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import { QueryPool, type QueryPoolOptions } from '../../../src/server/pool/query-pool.js'
import type { QueryTask } from '../../../src/server/pool/query-task.js'
import { log, makePlace, type Place, requestLog, test } from '../support.js'

const pools: QueryPool[] = []

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()))
})

function openPool(place: Place, options: Partial<QueryPoolOptions> = {}): QueryPool {
  const pool = makePool(place, options)
  pools.push(pool)
  return pool
}

function makePool({ database, journal }: Place, options: Partial<QueryPoolOptions> = {}): QueryPool {
  return new QueryPool({
    database,
    schema: 'none',
    journal,
    processes: 2,
    timeoutMs: 20_000,
    onFailure: () => {},
    ...options,
  })
}

const STATS: QueryTask = { query: 'stats', options: {}, window: { range: 'last_1h' } }

const total = async (answer: Promise<string>): Promise<number> => JSON.parse(await answer).counts.total

/** The request with this correlation_id takes seconds to be read, in one step of SQLite. */
const SLOW = 'slow'
const SLOW_QUERY: QueryTask = {
  query: 'listRequests',
  options: { correlationId: SLOW },
  window: { since: '2019-01-01T00:00:00Z' },
}

/** A fifth of a second and more: much longer than what counts as light. */
const STEPS = 1e6
const NEVER_ENDING = 1e15

/** Makes SLOW slow: `steps` steps of a count that only its row needs. */
async function withSlowRow(place: Place, steps: number): Promise<void> {
  await log(place, [requestLog({ correlation_id: SLOW, timestamp: '2020-01-01T00:00:00Z' }), requestLog()])
  const database = new SQLite(place.database)
  database.exec(`
    ALTER TABLE requests RENAME TO real_requests;
    CREATE VIEW requests AS SELECT * FROM real_requests WHERE correlation_id <> '${SLOW}' OR
      (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${steps}) SELECT count(*) FROM n) > 0;
  `)
  database.close()
}

describe('questions', () => {
  // They change nothing but the number of rows.
  let place: Place
  let pool: QueryPool

  beforeAll(async () => {
    place = makePlace()
    await log(place, [requestLog()])
    pool = makePool(place)
    await pool.ready()
  })
  afterAll(() => {
    pool.close()
    rmSync(place.directory, { recursive: true })
  })

  test('that are identical, and come while one is answered, share the next run', async () => {
    const before = pool.runs
    const answers = await Promise.all(Array.from({ length: 100 }, () => pool.ask(STATS)))
    expect(pool.runs - before).toBe(2)
    // The first was alone, and all others have one answer.
    expect(new Set(answers.slice(1)).size).toBe(1)
  })

  test('never join a run that began before they came', async () => {
    const before = await total(pool.ask(STATS))
    for (let more = 1; more <= 5; more++) {
      const early = pool.ask(STATS)
      await log(place, [requestLog()])
      const [, count] = await Promise.all([early, total(pool.ask(STATS))])
      expect(count).toBe(before + more)
    }
  })

  test('have the start of their run as `until`: no earlier than they came', async () => {
    const first = pool.ask(STATS)
    const askedAt = Date.now()
    const { until } = JSON.parse(await pool.ask(STATS))
    expect(Date.parse(until)).toBeGreaterThanOrEqual(askedAt)
    await first
  })

  test('that are different have runs of their own', async () => {
    await log(place, [requestLog({ model: 'a' }), requestLog({ model: 'b' })])
    const [rows, before] = [await total(pool.ask(STATS)), pool.runs]
    const of = (model: string) =>
      pool.ask({ query: 'stats', options: { model }, window: { range: 'last_1h' } })
    const totals = await Promise.all([total(of('a')), total(of('b')), total(pool.ask(STATS))])
    expect(totals).toEqual([1, 1, rows])
    expect(pool.runs - before).toBe(3)
  })
})

describe('a query that takes too long', () => {
  test('is really over then: 503, as for one that waited as long; what ran it is gone, so that one process is enough to go on', async ({
    place,
  }) => {
    await withSlowRow(place, NEVER_ENDING)
    const pool = openPool(place, { processes: 1, timeoutMs: 200 })
    // It takes longer than that to start a process, too.
    const stats = async () => {
      for (;;) {
        const answer = await pool.ask(STATS).catch(() => null)
        if (answer !== null) return JSON.parse(answer).counts.total
      }
    }
    expect(await stats()).toBe(1)
    const [ended, waited] = await Promise.allSettled([pool.ask(SLOW_QUERY), pool.ask(STATS)])
    const message = expect.stringContaining('took longer than 0.2 s and was ended')
    expect(ended).toMatchObject({ status: 'rejected', reason: { status: 503, message } })
    // It waited longer than that for a process.
    expect(waited).toMatchObject({ status: 'rejected', reason: { status: 503 } })
    expect(await stats()).toBe(1)
  })

  test('lets others be answered meanwhile, and a second heavy one waits for it', async ({ place }) => {
    await withSlowRow(place, STEPS)
    const pool = openPool(place)
    // Heavy as long as it hasn't run, and then because it did.
    for (let round = 0; round < 2; round++) {
      let isDone = false
      const heavy = [1, 2].map((page) =>
        pool.ask({ ...SLOW_QUERY, options: { ...SLOW_QUERY.options, page } }),
      )
      const done = Promise.allSettled(heavy).then(() => {
        isDone = true
      })
      for (let i = 0; i < 3; i++) await pool.ask({ query: 'newRequests', options: [{ afterId: null }] })
      expect(isDone).toBe(false)
      await done
    }
  })
})

test('a query that needs too much memory ends alone: 503, and the next one is answered', async ({
  place,
}) => {
  await log(
    place,
    Array.from({ length: 100 }, () => requestLog()),
  )
  const database = new SQLite(place.database)
  // 1.6 GB of names on one page.
  database.exec(`
    ALTER TABLE requests RENAME TO real_requests;
    ALTER TABLE real_requests RENAME COLUMN error_message TO short;
    CREATE VIEW requests AS SELECT *, hex(zeroblob(8000000)) AS error_message FROM real_requests;
  `)
  database.close()
  const failures: unknown[] = []
  const pool = openPool(place, { processes: 1, onFailure: (error) => failures.push(error) })
  const page: QueryTask = { query: 'listRequests', options: { perPage: 100 }, window: { range: 'last_1h' } }
  await expect(pool.ask(page)).rejects.toMatchObject({
    status: 503,
    message: expect.stringContaining('too much memory'),
  })
  expect(String(failures[0])).toContain('heap out of memory')
  expect(await total(pool.ask(STATS))).toBe(100)
})

test('a detail from an archive is heavy, and waits for other heavy questions; one from a segment is light', async ({
  place,
}) => {
  await withSlowRow(place, STEPS)
  const detail: QueryTask = { query: 'getRequest', options: { id: 2 } }
  const pool = openPool(place)
  await pool.ready()
  const slow = () => {
    const run = { isDone: false, answer: pool.ask(SLOW_QUERY) }
    void run.answer.then(() => {
      run.isDone = true
    })
    return run
  }
  const first = slow()
  expect(JSON.parse(await pool.ask(detail)).line.text).toContain('"request_logged"')
  expect(first.isDone).toBe(false)
  await first.answer
  const [segment = ''] = readdirSync(place.journal).filter((name) => name.endsWith('.ndjson'))
  const path = join(place.journal, segment)
  writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)))
  rmSync(path)
  const second = slow()
  expect(JSON.parse(await pool.ask(detail)).line.text).toContain('"request_logged"')
  expect(second.isDone).toBe(true)
})

describe('a query that nobody waits for any more', () => {
  test('is not run when its turn comes; one that somebody still waits for is', async ({ place }) => {
    await withSlowRow(place, STEPS)
    const pool = openPool(place, { processes: 1 })
    const leavers: (() => void)[] = []
    const onDisconnect = (callback: () => void) => leavers.push(callback)
    const running = pool.ask(SLOW_QUERY)
    const abandoned = [1, 2, 3].map((page) =>
      pool.ask({ ...SLOW_QUERY, options: { ...SLOW_QUERY.options, page } }, onDisconnect),
    )
    const half = pool.ask(STATS, onDisconnect)
    const whole = pool.ask(STATS)
    const outcomes = Promise.allSettled(abandoned)
    for (const leave of leavers) leave()
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({
        reason: { message: expect.stringContaining('the client has disconnected') },
      })
    }
    await running
    expect(await total(whole)).toBe(1)
    await half
    expect(pool.runs).toBe(2)
  })
})

describe('the database file', () => {
  test('that is replaced is opened again', async ({ place }) => {
    await log(place, [requestLog()])
    const pool = openPool(place)
    expect(await total(pool.ask(STATS))).toBe(1)
    const other = makePlace()
    await log(other, [requestLog(), requestLog()])
    for (const suffix of ['-wal', '-shm']) rmSync(place.database + suffix, { force: true })
    renameSync(other.database, place.database)
    rmSync(other.directory, { recursive: true })
    for (let i = 0; i < 4; i++) expect(await total(pool.ask(STATS))).toBe(2)
  })

  test('that goes is 503 until it is back', async ({ place }) => {
    await log(place, [requestLog()])
    const failures: unknown[] = []
    const { database } = place
    const pool = openPool(place, { processes: 1, onFailure: (error) => failures.push(error) })
    await pool.ask(STATS)
    renameSync(database, `${database}.away`)
    await expect(pool.ask(STATS)).rejects.toMatchObject({
      status: 503,
      message: expect.not.stringContaining(database),
    })
    expect(String(failures[0])).toContain(database)
    renameSync(`${database}.away`, database)
    expect(await total(pool.ask(STATS))).toBe(1)
  })
})

test('more different questions than can wait are 503 at once, and those that wait when the pool closes', async ({
  place,
}) => {
  await log(place, [requestLog()])
  const pool = openPool(place, { processes: 1 })
  const refused: unknown[] = []
  const asked = Array.from({ length: 600 }, async (_, page) => {
    const options = { page: page + 1 }
    const outcome = pool.ask({ query: 'listRequests', options, window: { range: 'last_1h' } })
    await outcome.catch((error) => refused.push(error))
  })
  await setImmediate()
  expect(refused).toHaveLength(100)
  expect(refused[0]).toMatchObject({ status: 503, message: expect.stringContaining('waiting already') })
  await pool.close()
  await Promise.all(asked)
  expect(refused).toHaveLength(600)
  for (const reason of refused) expect(reason).toMatchObject({ status: 503 })
  await expect(pool.ask(STATS)).rejects.toMatchObject({ status: 503 })
})

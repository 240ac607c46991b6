import { spawn, spawnSync } from 'node:child_process'
import { appendFileSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { expect } from 'vitest'
import { healthReporter } from '../../../src/server/health/health-report.js'
import type { QueryPool } from '../../../src/server/pool/query-pool.js'
import { acquireDatabaseLock } from '../../../src/store/sqlite/connection/lock.js'
import { requestLine } from '../../support/lines.js'
import { end } from '../../support/program.js'
import {
  append,
  askUntil,
  test as base,
  log,
  makePlace,
  type Place,
  requestLog,
  serve as serveAt,
  type TestServer,
  TOKEN,
} from '../support.js'

/** With a server that projects, and asks for a token, which the tests of a file share. */
const test = base.extend<{ projecting: { place: Place; server: TestServer } }>({
  projecting: [
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
    async ({}, use) => {
      const place = makePlace()
      await log(place, [requestLog()])
      const server = await serveAt(place, { project: true, token: TOKEN })
      await use({ place, server })
      await server.close()
      rmSync(place.directory, { recursive: true, force: true })
    },
    { scope: 'file' },
  ],
})

const MONITORING = new URL('../../../docs/monitoring.md', import.meta.url)

test('is ok while a projector runs and keeps up, needs no token, and is never stored', async ({
  projecting: { place, server },
}) => {
  const { status, body, headers } = await server.get('/healthz')
  expect(status).toBe(200)
  expect(body).toEqual({
    status: 'ok',
    problems: [],
    projector_running: true,
    lag_seconds: 0,
    lag_bytes: 0,
    rejected_lines: 0,
    disk_free_bytes: expect.any(Number),
    journal_disk_free_bytes: expect.any(Number),
  })
  expect(headers['cache-control']).toBe('no-store')
  expect(JSON.stringify(body)).not.toContain(place.directory)
})

test('fails on a dead projector: nobody holds the lock', async ({ closedServer: server }) => {
  const { status, body } = await server.get('/healthz')
  expect(status).toBe(503)
  expect(body).toMatchObject({
    status: 'failing',
    projector_running: false,
    problems: [expect.stringMatching(/no projector runs/)],
  })
  expect(body.error).toMatchObject({
    type: 'arbstr_error',
    code: 503,
    message: expect.stringMatching(/no projector/),
  })
})

test('fails on lag in seconds over --max-lag-seconds, and says how much', async ({ place, serve }) => {
  await log(place, [requestLog()])
  // Stands for a projector that lives and makes no progress.
  const lock = acquireDatabaseLock(place.database, 'project')
  try {
    const behind = await serve({ maxLagSeconds: 1 })
    const patient = await serve({ maxLagSeconds: 1_000_000 })
    const [segment = ''] = readdirSync(place.journal).filter((name) => name.endsWith('.ndjson'))
    await append(place.journal, [requestLog()])
    // It came ten seconds ago, and has waited since its position last stood at the end.
    const cameAt = new Date(Date.now() - 10_000)
    utimesSync(join(place.journal, segment), cameAt, cameAt)
    const database = new SQLite(place.database)
    database.prepare('UPDATE journal_segments SET caught_up_at = ?').run(cameAt.toISOString())
    database.close()
    const answer = await behind.get('/healthz')
    expect(answer.status).toBe(503)
    expect(answer.body.problems).toEqual([
      expect.stringMatching(/^the projector is [\d.]+ s behind the journal, more than 1 s$/),
    ])
    expect(answer.body.lag_bytes).toBeGreaterThan(0)
    expect((await patient.get('/healthz')).status).toBe(200)
  } finally {
    lock.release()
  }
})

test('rejected lines are shown, and fail nothing', async ({ place, serve }) => {
  await log(place, [requestLog()])
  const [segment = ''] = readdirSync(place.journal).filter((name) => name.endsWith('.ndjson'))
  appendFileSync(join(place.journal, segment), 'not json\n')
  await log(place, [])
  const server = await serve({ project: true })
  const { status, body } = await server.get('/healthz')
  expect(status).toBe(200)
  expect(body).toMatchObject({ status: 'ok', rejected_lines: 1 })
})

test("a journal that doesn't exist yet is no fault: its first writer makes it", async ({ serve }) => {
  const server = await serve({ project: true })
  const { status, body } = await server.get('/healthz')
  expect(status).toBe(200)
  expect(body).toMatchObject({ status: 'ok', projector_running: true, lag_seconds: null })
})

test('fails when the projector of the same process had to stop, and says why; the log too', async ({
  place,
  serve,
}) => {
  await log(place, [requestLog()])
  const logged: string[] = []
  const logger = {
    debug() {},
    info() {},
    warn() {},
    error: (fields: object, message: string) =>
      logged.push(`${message} ${String((fields as { err: unknown }).err)}`),
  }
  const server = await serve({ project: true, logger })
  expect((await server.get('/healthz')).status).toBe(200)
  const [segment = ''] = readdirSync(place.journal).filter((name) => name.endsWith('.ndjson'))
  rmSync(join(place.journal, segment))
  // Its lock goes a moment before its last words arrive.
  const { body } = await askUntil(
    () => server.get('/healthz'),
    ({ body }) => body.problems.join().includes('has stopped'),
  )
  expect(body.problems.join()).toBe('the projector has stopped (SEGMENT_MISSING): see the log')
  expect(logged.join()).toMatch(/Projector stopped: it can't go on ProjectionError: .*the segment is gone/)
  // What was projected is still served.
  expect((await server.get('/v1/stats')).body.counts.total).toBe(1)
})

test("fails if journal and database don't belong together", async ({ place, serve }) => {
  await log(place, [requestLog()])
  rmSync(place.journal, { recursive: true })
  await append(place.journal, [requestLog()])
  const server = await serve()
  const { status, body } = await server.get('/healthz')
  expect(status).toBe(503)
  expect(body.problems).toEqual(["journal and database can't be read: see the log"])
})

test('is looked at once a second at most, however often it is asked', async ({
  projecting: { place, server },
}) => {
  const first = await server.get('/healthz')
  appendFileSync(
    join(place.journal, readdirSync(place.journal).filter((name) => name.endsWith('.ndjson'))[0] ?? ''),
    `${requestLine('x')}\n`,
  )
  const answers = await Promise.all(Array.from({ length: 50 }, () => server.get('/healthz')))
  const bodies = new Set(answers.map(({ text }) => text))
  // The first second's answer, and where the machine is slow that of the next one.
  expect(bodies.size).toBeLessThanOrEqual(2)
  expect(first.status).toBe(200)
})

test.for([
  [0, 2 ** 30, 1, 'database'],
  [0, 2 ** 30, 0, null],
  [2 ** 30, 2 ** 30, 1, null],
  [2 ** 30, 0, 0, 'journal'],
  [2 ** 30, null, 0, null],
] as const)(
  'with %i bytes free for the database, %i for the journal and a lag of %i bytes the full disk is that of: %s',
  async ([disk_free_bytes, journal_disk_free_bytes, lag_bytes, full]) => {
    const measures = {
      projector_running: true,
      lag_seconds: 0,
      lag_bytes,
      rejected_lines: 0,
      disk_free_bytes,
      journal_disk_free_bytes,
    }
    const pool = { ask: async () => JSON.stringify(measures) } as unknown as QueryPool
    const health = healthReporter({ pool, maxLagSeconds: 60, projector: null })
    const { status, problems } = await health()
    expect(status).toBe(full === null ? 'ok' : 'failing')
    expect(problems).toEqual(
      full === null ? [] : [expect.stringContaining(`the disk of the ${full} is full`)],
    )
  },
)

test('fails while its projector waits for what can heal, and says for what', async () => {
  const pool = { ask: async () => JSON.stringify({ projector_running: true, lag_seconds: 0 }) }
  const health = healthReporter({
    pool: pool as unknown as QueryPool,
    maxLagSeconds: 60,
    projector: { failureCode: null, waitingCode: 'JOURNAL_MISSING' },
  })
  expect(await health()).toMatchObject({
    status: 'failing',
    problems: [expect.stringContaining('waits (JOURNAL_MISSING)')],
  })
})

test("HTTP/1.0 without a Host is answered, since a balancer isn't a page in a browser; HTTP/1.1 isn't", async ({
  projecting: { server },
}) => {
  const { url } = server
  expect(await askRaw(url, 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /)
  const refused = await askRaw(url, 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n')
  expect(refused).toMatch(/^HTTP\/1\.1 400 [\s\S]*the Host header is missing/)
})

test('/livez and /healthz?live say that this process serves, whatever the projector does', async ({
  closedServer: server,
}) => {
  for (const path of ['/livez', '/healthz?live', '/healthz?live=true']) {
    const { status, body } = await server.get(path)
    expect({ path, status, body }).toEqual({ path, status: 200, body: { status: 'ok', problems: [] } })
  }
  for (const path of ['/healthz', '/healthz?live=false']) expect((await server.get(path)).status).toBe(503)
})

test.skipIf(!isInstalled('haproxy'))(
  'haproxy finds a server up by /livez, as docs/monitoring.md has it',
  async ({ place, closedServer }) => {
    const { port } = new URL(closedServer.url)
    const backend =
      /^backend request-journal[\s\S]*?(?=```)/m.exec(readFileSync(MONITORING, 'utf8'))?.[0] ?? ''
    const socket = join(place.directory, 'admin')
    const configuration = join(place.directory, 'haproxy.cfg')
    const settings = `global\n  stats socket ${socket}\ndefaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n`
    writeFileSync(
      configuration,
      settings + backend.replace('8790', port).replace('check', 'check inter 100ms'),
    )
    const haproxy = spawn('haproxy', ['-db', '-f', configuration], { stdio: 'ignore' })
    try {
      await expect
        .poll(async () => await askSocket(socket, 'show stat\n').catch(() => ''))
        .toMatch(/^request-journal,here,.*,UP,.*,L7OK,200,/m)
    } finally {
      await end(haproxy, 'SIGKILL')
    }
  },
)

test('without a database it answers 503 and says so, and works as soon as a projector has made one', async ({
  place,
  serve,
}) => {
  const server = await serve({ database: join(place.directory, 'later/requests.db') })
  const waiting = 'there is no database yet: a projector makes it; start `request-journal project`'
  const { status, body } = await server.get('/healthz')
  expect({ status, problems: body.problems }).toEqual({
    status: 503,
    problems: [waiting, expect.stringMatching(/^no projector runs/)].slice(0, body.problems.length),
  })
  const stats = await server.get('/v1/stats')
  expect({ status: stats.status, error: stats.body.error.message }).toEqual({
    status: 503,
    error: `Unavailable: ${waiting}`,
  })
  expect((await server.get('/')).status).toBe(200)
  expect((await server.get('/livez')).status).toBe(200)
  await log({ ...place, database: join(place.directory, 'later/requests.db') }, [requestLog()])
  expect((await server.get('/v1/stats')).body.counts.total).toBe(1)
})

/** Sends bytes as they are, and gives all that comes back until the other end closes. */
async function askRaw(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return await exchange(connect(Number(port), hostname), text)
}

async function askSocket(path: string, text: string): Promise<string> {
  return await exchange(connect(path), text)
}

async function exchange(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  const chunks: Buffer[] = await socket.toArray()
  return Buffer.concat(chunks).toString()
}

function isInstalled(program: string): boolean {
  return spawnSync(program, ['-v']).status === 0
}

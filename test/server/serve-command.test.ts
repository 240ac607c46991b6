import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import SQLite from 'better-sqlite3'
import type { Logger } from 'pino'
import { afterEach, describe, expect } from 'vitest'
import { readToken } from '../../src/cli/run/listening.js'
import { runHere } from '../support/command.js'
import { changedTimeout, end, PROGRAM } from '../support/program.js'
import { type Answer, append, askUntil, get, log, type Place, requestLog, test } from './support.js'

const children: ChildProcess[] = []

afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => end(child, 'SIGKILL')))
})

interface Running {
  child: ChildProcess
  url: string
  /** What stderr has so far. */
  log(): string
}

/** Starts the command, and returns once it has printed its URL. */
async function start(
  place: Place,
  args: string[] = [],
  env: Record<string, string> = {},
  /** Of a shell: starts the command, which is in its arguments. */
  script = 'exec "$@"',
): Promise<Running> {
  const { database, journal } = place
  const command = [process.execPath, PROGRAM, 'serve', '--db', database, '--journal', journal, '--port', '0']
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...command, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let text = ''
  child.stderr.on('data', (chunk) => {
    text += chunk
  })
  const [url] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>,
    once(child, 'exit').then(([status]) => {
      throw new Error(`serve ended with ${status}: ${text}`)
    }),
  ])
  return { child, url, log: () => text }
}

/** Its time-outs of so many milliseconds pass in a tenth of that. */
const sooner = (ms: number) => changedTimeout(ms, ms / 10)

/** The processes that answer its questions. */
function childrenOf({ pid }: ChildProcess): number[] {
  const found = execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
  return found.trim().split(/\s+/).map(Number)
}

test('prints its URL, answers, and shows the dashboard', async ({ place }) => {
  await log(place, [requestLog()])
  // For 5 seconds it waits for the question that has no end.
  const { child, url, log: logged } = await start(place, ['--query-timeout-ms', '3600000'], sooner(5000))
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  expect((await get(url, '/v1/stats')).body.counts.total).toBe(1)
  expect((await get(url, '/')).text).toContain('<title>request-journal</title>')

  // SIGTERM ends it cleanly, streams and all, also while a question runs that has no end.
  const response = await fetch(`${url}/v1/stream`)
  const ended = response.text()
  for (const pid of childrenOf(child)) process.kill(pid, 'SIGSTOP')
  const asked = get(url, '/v1/requests').catch((error) => error)
  // It has been asked for once a later request is answered.
  expect((await get(url, '/nowhere')).status).toBe(404)
  expect(await end(child)).toBe(0)
  expect(await asked).toBeInstanceOf(Error)
  expect(await ended).toContain('retry:')
  expect(logged()).toContain('Server stopped')
})

const FOR_EVER = '(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n)'

test('SIGTERM ends it in seconds while the projector is inside a transaction that has no end', async ({
  place,
}) => {
  await log(place, [requestLog()])
  const database = new SQLite(place.database, { timeout: 0 })
  database.exec(`CREATE TRIGGER slow AFTER INSERT ON requests BEGIN SELECT ${FOR_EVER}; END`)
  // It has 8 seconds to stop, in which its transaction would take a whole processor.
  const { child } = await start(place, ['--project'], sooner(8000))
  await append(place.journal, [requestLog()])
  const isLocked = async () => {
    try {
      database.exec('BEGIN IMMEDIATE; ROLLBACK')
      return false
    } catch {
      return true
    }
  }
  await askUntil(isLocked, (locked) => locked)
  await end(child)
  expect(child.signalCode).toBe('SIGKILL')
  database.close()
})

test('--project makes the database, projects what is appended, refuses a second projector, and stops with the server', async ({
  place,
}) => {
  const { child, url, log: logged } = await start(place, ['--project'])
  await append(place.journal, [requestLog(), requestLog()])
  await askUntil(
    () => get(url, '/v1/stats'),
    ({ body }) => body.counts.total === 2,
  )
  const places = ['--db', place.database, '--journal', place.journal]
  const { status, stderr } = await runHere(['serve', ...places, '--project', '--port', '0'])
  expect(status).toBe(1)
  expect(stderr).toMatch(/error: .*a projector \(pid \d+ .* is already working on this database/)
  expect(stderr).not.toContain('    at ')
  expect(await end(child, 'SIGINT'), `${child.signalCode} ${logged()}`).toBe(0)
  expect(logged()).toMatch(/Projecting[\s\S]*Projector stopped/)
})

test("a projector that can't go on ends it with 1, and the log says why", async ({ place }) => {
  await log(place, [requestLog()])
  const { child, log: logged } = await start(place, ['--project'])
  const exit = once(child, 'exit')
  for (const name of readdirSync(place.journal)) {
    if (name.endsWith('.ndjson')) writeFileSync(join(place.journal, name), '')
  }
  expect(await exit).toEqual([1, null])
  expect(logged()).toMatch(/SEGMENT_(TRUNCATED|REPLACED)[\s\S]*Stopping: the projector can't continue/)
})

test('a port that is in use is named, before anything is projected: exit 1', async ({ place }) => {
  await log(place, [])
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  const { status, stderr } = await runHere(['serve', '--db', place.database, '--port', String(port)])
  expect(status).toBe(1)
  expect(stderr).toMatch(
    new RegExp(`error: 127\\.0\\.0\\.1:${port}: something listens there already; .*--port`),
  )
  expect(stderr).not.toContain('    at ')
  const fresh = join(place.journal, '../fresh.db')
  const args = ['serve', '--project', '--journal', place.journal, '--db', fresh, '--port', String(port)]
  expect(await runHere(args)).toMatchObject({ status: 1, stderr: expect.stringContaining('listens there') })
  expect(existsSync(fresh)).toBe(false)
  other.close()
})

test('connections leave descriptors for everything else, however few there are', async ({ place }) => {
  await log(place, [requestLog()])
  const { child, url } = await start(place, [], {}, 'ulimit -n 200; exec "$@"')
  const { hostname, port } = new URL(url)
  const sockets = Array.from({ length: 300 }, () => connect(Number(port), hostname).on('error', () => {}))
  // Beyond 72 they are closed at once, and the last one tells that all were looked at.
  await once(sockets.at(-1) as Socket, 'close')
  for (const socket of sockets.slice(0, 10)) socket.destroy()
  const { body } = (await askUntil(
    () => get(url, '/v1/stats').catch(() => null),
    (answer) => answer !== null,
  )) as Answer
  expect(body.counts.total).toBe(1)
  for (const socket of sockets) socket.destroy()
  expect(await end(child)).toBe(0)
})

describe('wrong use, exit 2', () => {
  test.each([
    ['a mistyped option', ['--prot', '1'], /unknown option '--prot'/],
    ['a port out of range', ['--port', '70000'], /'--port <n>' argument '70000' is invalid/],
    ['an empty host', ['--host', ''], /'--host <host>' argument '' is invalid/],
    [
      'everyone without a token',
      ['--host', '0.0.0.0'],
      /0\.0\.0\.0 can be reached from other machines, and no token is set: give --token-file/,
    ],
    ['labels without a projector', ['--rollup-label', 'team'], /'--rollup-label' needs '--project'/],
    [
      'a token for events that it does not take',
      ['--ingest-token-file', 'x'],
      /'--ingest-token-file' needs '--ingest'/,
    ],
    ['a token as an argument', ['--token', 'x'], /unknown option '--token'/],
    [
      'an allowed host with a port',
      ['--allow-host', 'a.example:80'],
      /'--allow-host <name>' argument 'a\.example:80'.*without a port/,
    ],
    ["a limit that isn't a number", ['--max-streams', 'many'], /'--max-streams <n>' argument 'many'/],
    ['a timeout of 0', ['--query-timeout-ms', '0'], /'--query-timeout-ms <n>' argument '0'/],
  ] as const)('%s', async (_what, args, message) => {
    const { status, stdout, stderr } = await runHere(['serve', '--db', '/nowhere/requests.db', ...args])
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain('    at ')
  })

  test.each([
    ['REQUEST_JOURNAL_PORT', 'x'],
    ['REQUEST_JOURNAL_HOST', '0.0.0.0'],
    ['REQUEST_JOURNAL_PROJECT', 'maybe'],
    ['REQUEST_JOURNAL_MAX_LAG_SECONDS', '0'],
    ['REQUEST_JOURNAL_QUERY_TIMEOUT_MS', 'x'],
    ['REQUEST_JOURNAL_MAX_STREAMS', '-1'],
    ['REQUEST_JOURNAL_LOG_LEVEL', 'loud'],
    ['REQUEST_JOURNAL_TOKEN', ''],
    ['REQUEST_JOURNAL_TOKEN', 'a b'],
  ])('a wrong value in the environment: %s=%s', async (name, value) => {
    const { status } = await runHere(['serve', '--db', '/nowhere/requests.db'], { [name]: value })
    expect(status).toBe(2)
  })
})

describe('token', () => {
  const authorization = 'Bearer from-the-token-file'

  test('comes from a file, without its line break, or several from its lines; one for appending from another file', async ({
    place,
  }) => {
    await log(place, [requestLog()])
    const file = join(place.directory, 'token')
    // Two, so that clients can change from one to the other.
    writeFileSync(file, 'from-the-token-file\nthe-one-that-comes-next\n', { mode: 0o600 })
    const ingestFile = join(place.directory, 'ingest-token')
    writeFileSync(ingestFile, 'appends-and-reads-nothing\n', { mode: 0o600 })
    const {
      child,
      url,
      log: logged,
    } = await start(place, ['--token-file', file, '--ingest', '--ingest-token-file', ingestFile], {
      REQUEST_JOURNAL_TOKEN: 'other',
    })
    expect((await get(url, '/v1/stats')).status).toBe(401)
    expect((await get(url, '/v1/stats', { headers: { authorization } })).status).toBe(200)
    for (const [token, status] of [
      ['the-one-that-comes-next', 200],
      ['appends-and-reads-nothing', 403],
    ] as const) {
      const headers = { authorization: `Bearer ${token}` }
      expect((await get(url, '/v1/stats', { headers })).status).toBe(status)
    }
    expect(logged()).not.toContain('Other users')
    expect(logged()).not.toContain('from-the-token-file')
    await end(child)
  })

  test('comes from the environment, as options do, names separated by commas; then it may listen everywhere, and waits for a database', async ({
    place,
  }) => {
    const {
      child,
      url,
      log: logged,
    } = await start(place, ['--host', '0.0.0.0'], {
      REQUEST_JOURNAL_TOKEN: 'from-the-token-file',
      REQUEST_JOURNAL_ALLOW_HOST: 'a.example, b.example',
      REQUEST_JOURNAL_MAX_STREAMS: '0',
    })
    expect((await get(url, '/v1/stats')).status).toBe(401)
    // Without a database and --project it serves, waits for one and says so.
    expect(logged()).toContain(`"path":"${place.database}","msg":"Waiting for a database: `)
    expect((await get(url, '/v1/stats', { headers: { authorization } })).status).toBe(503)
    await log(place, [requestLog()])
    expect((await get(url, '/v1/stats', { headers: { authorization } })).body.counts.total).toBe(1)
    expect(logged()).toContain(`"addresses":["0.0.0.0:${new URL(url).port}"]`)
    expect(logged()).not.toContain('from-the-token-file')
    for (const [host, status] of [
      ['a.example', 200],
      ['b.example', 200],
      ['c.example', 421],
    ] as const) {
      expect((await get(url, '/v1/stats', { headers: { authorization, host } })).status).toBe(status)
    }
    expect((await get(url, '/v1/stream', { headers: { authorization } })).status).toBe(503)
    expect(await end(child)).toBe(0)
  })

  test('in a file that others may read is taken, and warned about', async ({ place }) => {
    const file = join(place.directory, 'token')
    writeFileSync(file, 'from-the-token-file')
    const warned: string[] = []
    const logger = { warn: (_fields: object, message: string) => void warned.push(message) }
    for (const mode of [0o600, 0o644]) {
      chmodSync(file, mode)
      expect(await readToken(file, logger as unknown as Logger)).toBe('from-the-token-file')
    }
    expect(warned).toEqual([expect.stringContaining('Other users may read the token file')])
  })

  test("a file that doesn't exist, or is a FIFO: exit 1; an empty one: exit 2", async ({ place }) => {
    const missing = await runHere(['serve', '--db', place.database], {
      REQUEST_JOURNAL_TOKEN_FILE: join(place.directory, 'none'),
    })
    expect(missing.status).toBe(1)
    expect(missing.stderr).toMatch(/^error: the token file can't be read: ENOENT/)
    const fifo = join(place.directory, 'fifo')
    spawnSync('mkfifo', [fifo])
    const hanging = await runHere(['serve', '--db', place.database, '--token-file', fifo])
    expect(hanging.status).toBe(1)
    expect(hanging.stderr).toMatch(/^error: the token file can't be read: .*fifo is a FIFO/m)
    const file = join(place.directory, 'empty')
    writeFileSync(file, '\n')
    const empty = await runHere(['serve', '--db', place.database, '--token-file', file])
    expect(empty.status).toBe(2)
    expect(empty.stderr).toMatch(/the token can't be used: it is empty/)
  })
})

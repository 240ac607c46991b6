import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test as base } from 'vitest'
import { type EventInput, openJournal } from '../../src/index.js'
import { projectOnce } from '../../src/projection/index.js'
import { type Server, type ServerOptions, startServer } from '../../src/server/index.js'

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  /** The body as it came. */
  bytes: Buffer
  /** The body, parsed; undefined if it isn't JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any
}

export interface AskOptions {
  method?: string
  headers?: Record<string, string>
  body?: string
}

/** A server, and what can be asked of it. */
export interface TestServer extends Server {
  get(path: string, options?: AskOptions): Promise<Answer>
}

export interface Place {
  directory: string
  journal: string
  database: string
}

export function makePlace(): Place {
  const directory = mkdtempSync(join(tmpdir(), 'request-journal-server-'))
  return { directory, journal: join(directory, 'journal'), database: join(directory, 'requests.db') }
}

/** Appends events and projects them. */
export async function log({ journal, database }: Place, events: readonly EventInput[]): Promise<void> {
  await append(journal, events)
  await projectOnce({ journal, database })
}

/** Appends events for a projector that runs. */
export async function append(directory: string, events: readonly EventInput[]): Promise<void> {
  // These events have no secrets, and looking for some takes a third of a millisecond for each long
  // text.
  const journal = openJournal({ directory, fsync: 'no', redact: false })
  for (const event of events) journal.append(event)
  await journal.close()
}

/**
 * Starts a server at a place, on a free port, with one query process unless asked for more: each
 * takes time to load.
 */
export async function serve(place: Place, options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const { database, journal } = place
  const server = await startServer({ database, journal, port: 0, queryThreads: 1, ...options })
  return { ...server, get: (path, ask) => get(server.url, path, ask) }
}

/** Asks without the conveniences of fetch, which corrects paths and headers. */
export async function get(
  url: string,
  path: string,
  { method = 'GET', headers = {}, body }: AskOptions = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url)
  return await new Promise((resolve, reject) => {
    const sent = request({ host: hostname, port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const bytes = Buffer.concat(chunks)
        const text = bytes.toString()
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          bytes,
          body: parse(text),
        })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/**
 * Asks until the answer is as wanted, with rests that leave the processor to whoever brings that
 * about.
 */
export async function askUntil<T>(ask: () => Promise<T>, isWanted: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask()
    if (isWanted(answer)) return answer
    await sleep(20)
  }
}

/** The token of `closedServer`. */
export const TOKEN = 'correct-horse-battery-staple'

/** Lends a server to tests that change nothing: one request is logged. */
async function withServer(
  options: Partial<ServerOptions>,
  use: (server: TestServer) => Promise<void>,
): Promise<void> {
  const place = makePlace()
  await log(place, [requestLog()])
  const server = await serve(place, options)
  await use(server)
  await server.close()
  rmSync(place.directory, { recursive: true, force: true })
}

/** A test with a place of its own, and servers that are closed after it. */
export const test = base.extend<{
  /** A server that the tests of a file share, and one that asks for a token. */
  openServer: TestServer
  closedServer: TestServer
  place: Place
  serve(options?: Partial<ServerOptions>): Promise<TestServer>
}>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
  openServer: [async ({}, use) => await withServer({}, use), { scope: 'file' }],
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
  closedServer: [async ({}, use) => await withServer({ token: TOKEN }, use), { scope: 'file' }],
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
  place: async ({}, use) => {
    const place = makePlace()
    await use(place)
    rmSync(place.directory, { recursive: true, force: true })
  },
  serve: async ({ place }, use) => {
    const servers: TestServer[] = []
    await use(async (options) => {
      const server = await serve(place, options)
      servers.push(server)
      return server
    })
    await Promise.all(servers.map((server) => server.close()))
  },
})

/** A request with nothing special about it. */
export function requestLog(fields: Partial<EventInput & { type?: 'request_logged' }> = {}): EventInput {
  return { model: 'gpt-4o', latency_ms: 100, success: true, ...fields } as EventInput
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

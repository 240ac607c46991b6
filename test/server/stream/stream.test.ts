import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import { connect } from 'node:net'
import timers from 'node:timers'
import SQLite from 'better-sqlite3'
import { describe, expect, onTestFinished, vi } from 'vitest'
import type { EventInput } from '../../../src/index.js'
import type { ServerOptions } from '../../../src/server/index.js'
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
} from '../support.js'
import { Listener } from './listener.js'

const models = (...names: string[]) => names.map((model) => requestLog({ model }))

const completion = (correlation_id: string): EventInput => ({
  type: 'stream_completed',
  correlation_id,
  input_tokens: 1,
  output_tokens: 2,
  cost_sats: 3,
  provider_cost_sats: null,
  stream_duration_ms: 40,
  success: true,
  error_status: null,
  error_message: null,
})

async function prepared(place: Place, count = 3): Promise<void> {
  await log(place, models(...Array.from({ length: count }, (_, i) => `m${i + 1}`)))
}

/** Adds rows as a projector commits them, without a journal: many take a tenth of the time. */
function insert({ database: path }: Place, count: number, message = '', labels = '{}'): void {
  const database = new SQLite(path)
  database
    .prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
      INSERT INTO requests (correlation_id, timestamp, model, latency_ms, success, error_message, labels)
      SELECT 'r' || i, '2026-11-22T10:00:00.000Z', 'm', 1, 1, ?, ? FROM n`,
    )
    .run(count, message, labels)
  database.close()
}

interface Shared {
  place: Place
  server: TestServer
  /** The newest request now. */
  newestId(): Promise<number>
}

/** Lends one server, over requests m1 to m250 at first, to all tests that can do with it. */
async function share(options: Partial<ServerOptions>, use: (shared: Shared) => Promise<void>): Promise<void> {
  const place = makePlace()
  await prepared(place, 250)
  const server = await serveAt(place, options)
  const newestId = async () => (await server.get('/v1/requests?per_page=1')).body.data[0].id
  await use({ place, server, newestId })
  await server.close()
  rmSync(place.directory, { recursive: true, force: true })
}

const test = base.extend<{ shared: Shared; projecting: Shared; narrow: Shared }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
  shared: [async ({}, use) => await share({}, use), { scope: 'file' }],
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
  projecting: [async ({}, use) => await share({ project: true }, use), { scope: 'file' }],
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
  narrow: [async ({}, use) => await share({ maxStreams: 2 }, use), { scope: 'file' }],
})

test('requests come as they are projected: entries as in /v1/requests?details=true, with their ids', async ({
  projecting: { place, server, newestId },
}) => {
  const newest = await newestId()
  const listener = await Listener.open(server)
  expect(listener.response.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  await append(place.journal, [requestLog({ model: 'line\nbreak "quoted" ünï', provider: 'east' })])
  const { event, id, data } = await listener.next()
  expect({ event, id }).toEqual({ event: 'request', id: String(newest + 1) })
  const { body } = await server.get('/v1/requests?per_page=1&details=true')
  expect(data).toEqual(body.data[0])
  listener.close()
})

test('a stream that ends changes its request: event completed, without an id', async ({
  projecting: { place, server, newestId },
}) => {
  const id = (await newestId()) + 1
  const listener = await Listener.open(server)
  const correlation_id = '5e8f3c52-1111-4222-8333-944444444444'
  await append(place.journal, [requestLog({ correlation_id, streaming: true })])
  expect(await listener.next()).toMatchObject({
    event: 'request',
    id: String(id),
    data: { cost: { sats: null } },
  })
  await append(place.journal, [completion(correlation_id)])
  const { event, id: eventId, data } = await listener.next()
  expect({ event, eventId }).toEqual({ event: 'completed', eventId: undefined })
  expect(data).toMatchObject({ id, cost: { sats: 3 }, timing: { stream_duration_ms: 40 } })
  listener.close()
})

describe('resuming', () => {
  test('Last-Event-ID and ?last_event_id= go on after that request: nothing twice, nothing left out', async ({
    shared: { place, server },
  }) => {
    for (const [query, headers] of [
      ['', { 'last-event-id': '10' }],
      ['?last_event_id=10', {}],
      // A browser that reconnects has both.
      ['?last_event_id=3', { 'last-event-id': '10' }],
    ] as const) {
      const listener = await Listener.open(server, query, headers)
      expect(await listener.ids(240)).toEqual(Array.from({ length: 240 }, (_, i) => i + 11))
      await log(place, models('next'))
      const [next] = await listener.ids(1)
      expect(next).toBeGreaterThan(250)
      listener.close()
    }
  })

  test('brings the ends of streams that began before, whether they ended meanwhile or end later', async ({
    shared: { place, server, newestId },
  }) => {
    const newest = await newestId()
    const [ended, open] = ['5e8f3c52-1111-4222-8333-944444444441', '5e8f3c52-1111-4222-8333-944444444442']
    await log(place, [
      requestLog({ correlation_id: ended, streaming: true }),
      requestLog({ correlation_id: open, streaming: true }),
      requestLog(),
    ])
    const before = await Listener.open(server, `?last_event_id=${newest}`)
    expect(await before.ids(3)).toEqual([newest + 1, newest + 2, newest + 3])
    before.close()
    await log(place, [completion(ended)])
    const listener = await Listener.open(server, '', { 'last-event-id': String(newest + 3) })
    expect(await listener.next()).toMatchObject({
      event: 'completed',
      id: undefined,
      data: { id: newest + 1 },
    })
    await log(place, [completion(open), requestLog()])
    expect(await listener.next()).toMatchObject({ event: 'completed', data: { id: newest + 2 } })
    expect(await listener.ids(1)).toEqual([newest + 4])
    listener.close()
  })

  test('without either the stream begins now', async ({ shared: { place, server, newestId } }) => {
    const newest = await newestId()
    const listener = await Listener.open(server)
    await log(place, models('now'))
    expect(await listener.ids(1)).toEqual([newest + 1])
    listener.close()
  })

  test("an id that the database hasn't reached: lagged, then on from the newest", async ({
    shared: { place, server, newestId },
  }) => {
    const newest = await newestId()
    const listener = await Listener.open(server, '?last_event_id=1000')
    expect(await listener.next()).toEqual({
      event: 'lagged',
      id: String(newest),
      data: { after_id: 1000, resumed_after_id: newest },
    })
    await log(place, models('now'))
    expect(await listener.ids(1)).toEqual([newest + 1])
    listener.close()
  })

  test('a client too far behind gets 10,000 requests, then lagged, then goes on from the newest', async ({
    place,
    serve,
  }) => {
    await log(place, [])
    insert(place, 10_300)
    const server = await serve()
    const listener = await Listener.open(server, '?last_event_id=0')
    const ids = await listener.ids(10_000)
    expect(ids.at(-1)).toBe(10_000)
    expect(await listener.next()).toEqual({
      event: 'lagged',
      id: '10300',
      data: { after_id: 10_000, resumed_after_id: 10_300 },
    })
    await log(place, models('now'))
    expect(await listener.ids(1)).toEqual([10_301])
    listener.close()
  })

  test("an id that isn't one is 400", async ({ shared: { server } }) => {
    for (const id of ['x', '-1', '1.5', '9007199254740993']) {
      expect((await server.get(`/v1/stream?last_event_id=${id}`)).status, id).toBe(400)
      const answer = await server.get('/v1/stream', { headers: { 'last-event-id': id } })
      expect(answer.status, id).toBe(400)
      expect(answer.body.error.type).toBe('arbstr_error')
    }
  })
})

test('filters by model, provider, success, streaming and labels are joined with AND', async ({
  shared: { place, server, newestId },
}) => {
  await log(place, [requestLog({ model: 'a', provider: 'east' })])
  const newest = await newestId()
  const queries = [
    '?model=A',
    '?provider=east',
    '?success=false',
    '?streaming=true',
    '?label:team=x',
    '?model=a&success=true&label:team=x',
  ]
  const listeners = await Promise.all(queries.map((query) => Listener.open(server, query)))
  await log(place, [
    requestLog({ model: 'a', provider: 'west', labels: { team: 'x' } }),
    requestLog({ model: 'b', provider: 'east', success: false }),
    requestLog({ model: 'b', streaming: true, labels: { team: 'x' } }),
    requestLog({ model: 'a', provider: 'east', success: false, streaming: true, labels: { team: 'y' } }),
  ])
  const expected = [[1, 4], [2, 4], [2, 4], [3, 4], [1, 3], [1]]
  for (const [index, listener] of listeners.entries()) {
    const wanted = expected[index]?.map((after) => newest + after) ?? []
    expect(await listener.ids(wanted.length), queries[index]).toEqual(wanted)
    listener.close()
  }
  expect((await server.get('/v1/stream?model=nope')).status).toBe(404)
  expect((await server.get('/v1/stream?success=maybe')).status).toBe(400)
})

test('one stream more than --max-streams is 503, and there is room again when one ends', async ({
  place,
  serve,
}) => {
  await prepared(place)
  const server = await serve({ maxStreams: 2 })
  const listeners = [await Listener.open(server), await Listener.open(server)]
  const { status, body, headers } = await server.get('/v1/stream')
  expect(status).toBe(503)
  expect(body.error).toMatchObject({ type: 'arbstr_error', code: 503 })
  expect(Number(headers['retry-after'])).toBeGreaterThan(0)
  listeners[0]?.close()
  // The server hears of it a moment later.
  const again = await askUntil(
    () => server.get('/v1/stream', { method: 'HEAD' }),
    ({ status }) => status !== 503,
  )
  expect(again.status).toBe(200)
  listeners[1]?.close()
})

test('HEAD opens no stream', async ({ narrow: { server } }) => {
  for (let i = 0; i < 3; i++) {
    const answer = await server.get('/v1/stream', { method: 'HEAD' })
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8')
  }
})

test('a client that leaves before its stream is open takes no place', async ({ narrow: { server } }) => {
  const { hostname, port } = new URL(server.url)
  for (let i = 0; i < 20; i++) {
    const socket = connect({ host: hostname, port: Number(port) })
    socket.write('GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n', () => socket.destroy())
    await once(socket, 'close')
  }
  await askUntil(
    () => server.get('/v1/stream', { method: 'HEAD' }),
    ({ status }) => status !== 503,
  )
  const listeners = [await Listener.open(server), await Listener.open(server)]
  for (const listener of listeners) listener.close()
})

test("a client that doesn't read costs a bounded amount of memory, and skips when it reads again", async ({
  place,
  serve,
}) => {
  await log(place, [requestLog({ model: 'first' })])
  const server = await serve()
  const { hostname, port } = new URL(server.url)
  let slowResponse: ServerResponse | undefined
  const onRequest = (message: unknown) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
    if (request.url?.includes('last_event_id=0')) slowResponse = response
  }
  subscribe('http.server.request.start', onRequest)
  // Reads nothing: what the kernel doesn't take stays with the server.
  const slow = connect({ host: hostname, port: Number(port) })
  slow.pause()
  slow.write('GET /v1/stream?last_event_id=0 HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const quick = await Listener.open(server)
  const error_message = 'x'.repeat(4000)
  // 16 MB of events, more than sockets hold.
  for (let i = 0; i < 2; i++) {
    insert(place, 2000, error_message)
    expect(await quick.ids(2000)).toHaveLength(2000)
  }
  unsubscribe('http.server.request.start', onRequest)
  expect(slowResponse?.writableLength).toBeGreaterThan(0)
  expect(slowResponse?.writableLength).toBeLessThan(4e6)
  let text = ''
  slow.on('data', (chunk) => {
    text = text.slice(-200_000) + chunk
  })
  await new Promise<void>((resolve) => {
    slow.on('data', () => {
      if (text.includes('event: lagged') || text.includes('"id":4001')) resolve()
    })
    slow.resume()
  })
  slow.destroy()
  quick.close()
})

test("entries of half a megabyte wait one at a time for a client that doesn't read", async ({
  place,
  serve,
}) => {
  const labels = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`label-${i}`, 'x'.repeat(1000)]))
  await log(place, [])
  insert(place, 40, '', JSON.stringify(labels))
  const server = await serve()
  const { hostname, port } = new URL(server.url)
  const responses: ServerResponse[] = []
  const onRequest = (message: unknown) => responses.push((message as { response: ServerResponse }).response)
  subscribe('http.server.request.start', onRequest)
  const slow = Array.from({ length: 3 }, () => {
    const socket = connect({ host: hostname, port: Number(port) }).pause()
    socket.write('GET /v1/stream?last_event_id=0 HTTP/1.1\r\nHost: localhost\r\n\r\n')
    return socket
  })
  const quick = await Listener.open(server, '?last_event_id=0')
  expect(await quick.ids(40)).toHaveLength(40)
  unsubscribe('http.server.request.start', onRequest)
  const waiting = responses.map(({ writableLength }) => writableLength)
  expect(Math.max(...waiting)).toBeGreaterThan(0)
  expect(Math.max(...waiting)).toBeLessThan(1e6)
  for (const socket of slow) socket.destroy()
  quick.close()
})

test('a server that stops ends streams', async ({ place, serve }) => {
  await prepared(place)
  const server = await serve()
  const listeners = [await Listener.open(server), await Listener.open(server, '?model=m1')]
  await Promise.all([server.close(), ...listeners.map((listener) => listener.ended())])
})

test("a server that stops doesn't wait for clients that stopped reading or writing", async ({
  place,
  serve,
}) => {
  const error_message = 'x'.repeat(4000)
  await log(place, [])
  insert(place, 4000, error_message)
  const server = await serve()
  const { hostname: host, port } = new URL(server.url)
  const half = connect({ host, port: Number(port) })
  half.write('GET /healthz HTTP/1.1\r\nHost: local')
  let slowResponse: ServerResponse | undefined
  const onRequest = (message: unknown) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
    if (request.url?.includes('last_event_id=0')) slowResponse = response
  }
  subscribe('http.server.request.start', onRequest)
  onTestFinished(() => void unsubscribe('http.server.request.start', onRequest))
  // What the kernel doesn't take of 16 MB stays with the server.
  const slow = connect({ host, port: Number(port) }).pause()
  slow.write('GET /v1/stream?last_event_id=0 HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await askUntil(
    async () => slowResponse?.writableLength ?? 0,
    (waiting) => waiting > 64 * 1024,
  )
  const quick = await Listener.open(server)
  const reset = [half, slow].map((socket) => socket.on('error', () => {}))
  // They have 5 seconds, which pass in half of one here.
  const { setTimeout } = timers
  const spy = vi.spyOn(timers, 'setTimeout')
  spy.mockImplementation((callback, ms, ...args) => setTimeout(callback, ms === 5000 ? 500 : ms, ...args))
  syncBuiltinESMExports()
  onTestFinished(() => {
    spy.mockRestore()
    syncBuiltinESMExports()
  })
  expect(slowResponse?.writableLength).toBeGreaterThan(64 * 1024)
  await Promise.all([server.close(), quick.ended()])
  expect(spy).toHaveBeenCalledWith(expect.any(Function), 5000)
  for (const socket of reset) socket.destroy()
})

import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect } from 'vitest'
import { VALUE_FILTERS } from '../../../src/queries/index.js'
import type { ServerOptions } from '../../../src/server/index.js'
import { log, type TestServer, TOKEN, test } from '../support.js'

const ROUTES = [
  '/',
  '/healthz',
  '/metrics',
  '/openapi.json',
  '/v1/stats',
  '/v1/series',
  '/v1/stream',
  '/nowhere',
]

/** Sends bytes as they are, and reads until the server closes. */
async function raw(
  server: TestServer,
  bytes: string,
): Promise<{ status: number; headers: string; body: string }> {
  const { hostname, port } = new URL(server.url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.write(bytes)
  await once(socket, 'close')
  const [headers = '', body = ''] = text.split('\r\n\r\n')
  return { status: Number(headers.split(' ')[1]), headers: headers.toLowerCase(), body }
}

const error = (code: number, message: RegExp) => ({
  error: { message: expect.stringMatching(message), type: 'arbstr_error', code },
})

test('errors are JSON: unknown routes, broken paths, wrong methods, bodies', async ({
  openServer: server,
}) => {
  for (const path of [
    '/nowhere',
    '/v1',
    '/v1/stats/',
    '//',
    '/assets/../../package.json',
    '/assets/none.js',
  ]) {
    const answer = await server.get(path)
    expect(answer.status, path).toBe(404)
    expect(answer.body).toEqual(error(404, /^Not found: /))
  }
  expect((await server.get('/v1/%zz')).body).toEqual(error(400, /^Invalid request: /))
  for (const path of ROUTES) {
    const post = await server.get(path, { method: 'POST' })
    expect(post.status, path).toBe(405)
    expect(post.body).toEqual(error(405, /^Method not allowed: found POST/))
    const withBody = await server.get(path, { body: '{}', headers: { 'content-length': '2' } })
    expect(withBody.status, path).toBe(413)
    expect(withBody.body).toEqual(error(413, /^Payload too large: /))
    const chunked = await server.get(path, { body: '{}', headers: { 'transfer-encoding': 'chunked' } })
    expect(chunked.status, path).toBe(413)
  }
})

test("a query string over the limit is 414, one up to it isn't", async ({ openServer: server }) => {
  expect((await server.get(`/v1/stats?x=${'y'.repeat(8000)}`)).status).toBe(200)
  const { status, body } = await server.get(`/v1/stats?x=${'y'.repeat(8192)}`)
  expect(status).toBe(414)
  expect(body).toEqual(error(414, /^URI too long: /))
  expect((await server.get(`/v1/requests/${'1'.repeat(9000)}`)).status).toBe(404)
})

test("what isn't HTTP is answered in JSON too", async ({ openServer: server }) => {
  for (const [bytes, status] of [
    ['NONSENSE\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nHost: localhost\r\nBad Header\r\n\r\n', 400],
    ['GET /v1/stats HTTP/1.1\r\n\r\n', 400],
    [`GET /v1/stats?${'x'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 431],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ] as const) {
    const answer = await raw(
      server,
      bytes.includes('Host') ? bytes : bytes.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
    )
    expect(answer.status, bytes.slice(0, 40)).toBe(status)
    expect(answer.headers).toContain('content-type: application/json')
    expect(JSON.parse(answer.body)).toEqual(error(status, /./))
  }
})

test('requests that are pipelined are answered in order', async ({ openServer: server }) => {
  const one = 'GET /v1/requests/1 HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const two = 'GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
  const { hostname, port } = new URL(server.url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.write(one + two)
  await once(socket, 'close')
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404'])
})

describe('/openapi.json', () => {
  test('has every route with its parameters, and answers that match it', async ({ openServer: server }) => {
    const { body } = await server.get('/openapi.json')
    expect(body.openapi).toBe('3.1.0')
    expect(Object.keys(body.paths).sort()).toEqual([
      '/healthz',
      '/livez',
      '/metrics',
      '/v1/names',
      '/v1/requests',
      '/v1/requests/{id}',
      '/v1/series',
      '/v1/stats',
      '/v1/stream',
    ])
    const names = (path: string) =>
      body.paths[path].get.parameters.map((parameter: { name: string }) => parameter.name)
    const filters = [
      'before',
      'correlation_id',
      'currency',
      'journal',
      'model',
      'open',
      'policy',
      'provider',
      'range',
      'since',
      'streaming',
      'success',
      'timezone',
      'unfinished',
      'until',
      'without_policy',
      'without_label',
      'without_provider',
      ...Object.values(VALUE_FILTERS).map(({ parameter }) => parameter),
    ]
    expect(names('/v1/stats').sort()).toEqual(
      [...filters, 'group_by', 'limit', 'percentiles', 'sort', 'unknown'].sort(),
    )
    expect(names('/v1/requests').sort()).toEqual(
      [...filters, 'cursor', 'details', 'order', 'page', 'per_page', 'sort'].sort(),
    )
    expect(body.paths['/v1/requests'].get.parameters).toContainEqual(
      expect.objectContaining({
        name: 'per_page',
        in: 'query',
        schema: expect.objectContaining({ type: 'integer', default: 20 }),
      }),
    )
    expect(body.paths['/v1/stats'].get.responses['200'].content['application/json'].schema.type).toBe(
      'object',
    )
    expect(body.security).toBeUndefined()
  })

  test('says whether a token is needed', async ({ closedServer: server }) => {
    const { body } = await server.get('/openapi.json', { headers: { authorization: `Bearer ${TOKEN}` } })
    expect(body.security).toEqual([{ bearer: [] }, { basic: [] }])
    expect(body.paths['/healthz'].get.security).toEqual([])
  })
})

test('unknown parameters of questions are refused with the nearest name, except where the contract ignores them', async ({
  openServer: server,
}) => {
  for (const [path, message] of [
    ['/v1/series?modle=x', "Unknown parameter 'modle'. Did you mean 'model'?"],
    [
      '/v1/series?bucket=hour&errorStatus=4xx',
      "Unknown parameter 'errorStatus'. Did you mean 'error_status'?",
    ],
    ['/v1/stream?rnge=last_1h', "Unknown parameter 'rnge'. /openapi.json lists the known ones"],
    ['/v1/stream?Lable:team=x', "Unknown parameter 'Lable:team'. Did you mean 'label:<name>'?"],
    ['/v1/series?tz=Europe/Berlin', "Unknown parameter 'tz'. Did you mean 'timezone'?"],
    ['/v1/names?limt=1', "Unknown parameter 'limt'. Did you mean 'limit'?"],
    ['/v1/names?=1', "Unknown parameter ''. /openapi.json lists the known ones"],
    ['/v1/requests/1?details=true', "Unknown parameter 'details'. This route has no parameters"],
  ] as const) {
    const { status, body } = await server.get(path)
    expect([status, body.error.message]).toEqual([400, `Invalid request: ${message}`])
  }
  for (const path of ['/v1/requests/1', '/healthz?live&_=1', '/v1/stats?_=1']) {
    expect((await server.get(path)).status).toBe(200)
  }
})

test('unknown options and values out of range are errors that name them', async ({ serve }) => {
  for (const [options, message] of [
    [{ prot: 1 }, /startServer has no option 'prot'/],
    [{ port: 70_000 }, /Option 'port' of startServer: found 70000, expected a whole number from 0 to 65535/],
    [{ maxStreams: -1 }, /Option 'maxStreams'/],
    [{ queryTimeoutMs: 0 }, /Option 'queryTimeoutMs'/],
    [{ host: '' }, /Option 'host'/],
    [{ rollupLabels: ['team'] }, /Option 'rollupLabels'/],
  ] as const) {
    await expect(serve(options as Partial<ServerOptions>)).rejects.toThrow(message)
  }
})

test('a journal that is a file is refused at the start', async ({ place, serve }) => {
  await log(place, [])
  await expect(serve({ journal: place.database })).rejects.toMatchObject({ code: 'JOURNAL_INVALID' })
})

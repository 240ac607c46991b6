import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { expect } from 'vitest'
import { get, log, requestLog, type TestServer, test } from '../support.js'

/** The bytes of a body, as they came. */
async function bytes(server: TestServer, path: string, headers: Record<string, string>, method = 'GET') {
  const { status, headers: answered, bytes: body } = await get(server.url, path, { headers, method })
  return { status, headers: answered, body }
}

const TEXTS = [
  '/v1/requests',
  '/v1/stats?group_by=model',
  '/v1/series',
  '/metrics',
  '/openapi.json',
  '/',
  '/assets/uplot/uPlot.iife.min.js',
]

test('answers over 1 kB are compressed as the client accepts, HEAD tells the same length, and caches are told', async ({
  place,
  serve,
}) => {
  await log(
    place,
    Array.from({ length: 30 }, (_, i) => requestLog({ model: `model-${i}` })),
  )
  const server = await serve()
  for (const path of TEXTS) {
    const plain = await bytes(server, path, {})
    expect(plain.status, path).toBe(200)
    expect(plain.body.length, path).toBeGreaterThan(1024)
    expect(plain.headers, path).toMatchObject({ vary: 'Accept-Encoding' })
    expect(plain.headers['content-encoding'], path).toBeUndefined()
    for (const [accepted, encoding, decode] of [
      ['gzip, deflate, br', 'br', brotliDecompressSync],
      ['gzip', 'gzip', gunzipSync],
      ['br;q=0, gzip;q=0.5', 'gzip', gunzipSync],
    ] as const) {
      const headers = { 'accept-encoding': accepted }
      const found = await bytes(server, path, headers)
      expect(found.headers, `${path} ${accepted}`).toMatchObject({
        'content-encoding': encoding,
        vary: 'Accept-Encoding',
        'content-length': String(found.body.length),
      })
      expect(found.body.length, path).toBeLessThan(plain.body.length / 1.5)
      const text = decode(found.body).toString()
      // Windows move on, and counters of this process.
      if (path.startsWith('/v1/requests'))
        expect(JSON.parse(text).data).toEqual(JSON.parse(plain.body.toString()).data)
      const head = await bytes(server, path, headers, 'HEAD')
      expect(head.headers['content-encoding'], path).toBe(encoding)
      expect(head.body.length).toBe(0)
    }
  }
})

test('a small answer, and a stream, are sent as they are', async ({ place, serve }) => {
  await log(place, [requestLog()])
  const server = await serve()
  const headers = { 'accept-encoding': 'br, gzip' }
  expect((await bytes(server, '/v1/stats', headers)).headers['content-encoding']).toBeUndefined()
  const stream = await fetch(`${server.url}/v1/stream?last_event_id=0`, { headers })
  expect(stream.headers.get('content-encoding')).toBeNull()
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!text.includes('event: request')) text += (await reader?.read())?.value ?? ''
  await reader?.cancel()
})

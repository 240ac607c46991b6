import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { expect } from 'vitest'
import { encodingFor } from '../../../src/server/http/compression.js'
import { Asset, loadAssets } from '../../../src/server/http/routes/dashboard.js'
import { log, test } from '../support.js'

const dashboard = fileURLToPath(new URL('../../../src/server/dashboard/', import.meta.url))

test('every file of the dashboard and of uPlot is served as what it is', async ({ place, serve }) => {
  await log(place, [])
  const server = await serve()
  const paths = [...loadAssets().keys()]
  expect(paths).toEqual(
    expect.arrayContaining(['/', '/assets/uplot/uPlot.min.css', '/assets/uplot/uPlot.iife.min.js']),
  )
  const files = readdirSync(dashboard, { encoding: 'utf8', recursive: true }).filter((name) =>
    /\.(html|css|js|svg)$/.test(name),
  )
  expect(paths).toEqual(
    expect.arrayContaining(files.map((name) => (name === 'index.html' ? '/' : `/assets/${name}`))),
  )
  for (const path of paths) {
    const { status, headers } = await server.get(path)
    expect(status, path).toBe(200)
    const type = /\.js$/.test(path)
      ? 'text/javascript'
      : /\.css$/.test(path)
        ? 'text/css'
        : /\.svg$/.test(path)
          ? 'image/svg+xml'
          : 'text/html'
    expect(headers['content-type'], path).toMatch(type)
  }
  const [head = '', body = ''] = readFileSync(`${dashboard}index.html`, 'utf8').split(/<!-- The server.*-->/)
  const { text } = await server.get('/')
  expect([text.slice(0, head.length), text.slice(-body.length)]).toEqual([head, body])
})

test('the files of the page are at most 105 kB over the wire', async () => {
  let bytes = 0
  for (const asset of loadAssets().values()) bytes += (await asset.encoded('gzip')).length
  expect(bytes).toBeLessThan(105_000)
})

test('compressed as the client accepts it, the same bytes inside, an ETag for each', async () => {
  const content = Buffer.from('body { color: red }\n'.repeat(100))
  const asset = new Asset('text/css', content)
  expect(encodingFor('gzip, deflate, br, zstd')).toBe('br')
  expect(encodingFor('gzip;q=0.8, deflate')).toBe('gzip')
  expect(encodingFor('br;q=0, gzip;q=0.0')).toBe('identity')
  expect(encodingFor('identity')).toBe('identity')
  expect(encodingFor(undefined)).toBe('identity')
  expect(brotliDecompressSync(await asset.encoded('br'))).toEqual(content)
  expect(gunzipSync(await asset.encoded('gzip'))).toEqual(content)
  expect(await asset.encoded('identity')).toBe(content)
  expect(new Set([asset.etag('br'), asset.etag('gzip'), asset.etag('identity')]).size).toBe(3)
})

test('what a client has already is 304', async ({ place, serve }) => {
  await log(place, [])
  const server = await serve()
  const headers = { 'accept-encoding': 'br' }
  const first = await server.get('/', { headers })
  expect(first.headers).toMatchObject({
    'content-encoding': 'br',
    vary: 'Accept-Encoding',
    'cache-control': 'no-cache',
  })
  const etag = String(first.headers['etag'])
  for (const known of [etag, `"x", W/${etag}`, '*']) {
    const again = await server.get('/', { headers: { ...headers, 'if-none-match': known } })
    expect(again).toMatchObject({ status: 304, text: '' })
    expect(again.headers['etag']).toBe(etag)
  }
  expect((await server.get('/', { headers: { ...headers, 'if-none-match': '"x"' } })).status).toBe(200)
  const plain = await server.get('/')
  expect(plain.headers['content-encoding']).toBeUndefined()
  expect(plain.headers['etag']).not.toBe(etag)
})

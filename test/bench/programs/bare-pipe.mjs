// The least that a reverse proxy does: node:http, and undici's own way of piping an answer into a writable stream.
import { createServer } from 'node:http'
import { Pool } from 'undici'
import { configuration } from './support.mjs'

const pool = new Pool(configuration.upstream, { headersTimeout: 0, bodyTimeout: 0 })
const server = createServer((request, response) => {
  const controller = new AbortController()
  response.on('close', () => {
    if (!response.writableFinished) controller.abort()
  })
  const { host: _, connection: __, ...headers } = request.headers
  const options = { path: request.url ?? '/', method: request.method ?? 'GET', headers, body: request }
  const passOn = (
    /** @type {import('undici').Dispatcher.StreamFactoryData<null>} */ { statusCode, headers },
  ) => {
    const { connection: ___, 'transfer-encoding': ____, 'keep-alive': _____, ...kept } = headers
    return response.writeHead(statusCode, kept)
  }
  pool.stream({ ...options, signal: controller.signal }, passOn).catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => {
  const address = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`http://127.0.0.1:${address.port}`)
})

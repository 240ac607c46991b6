import { once } from 'node:events'
import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, connect, Socket } from 'node:net'
import { describe, expect, onTestFinished } from 'vitest'
import { silentLogger } from '../../../src/journal/logger.js'
import { createApp } from '../../../src/server/http/app.js'
import { boundRequests, HeldAnswers, maxConnections } from '../../../src/server/http/bounds.js'
import { hostCheck } from '../../../src/server/http/origin-checks.js'
import { addStreamRoute } from '../../../src/server/http/routes/stream.js'
import type { StreamHub } from '../../../src/server/stream/stream-hub.js'
import { log, requestLog, test } from '../support.js'

test('a client that goes on sending a body that is not read is answered, and let go', async ({
  place,
  serve,
}) => {
  await log(place, [requestLog()])
  const open = await serve()
  const closed = await serve({ token: 'correct-horse-battery-staple' })
  const cases = [
    [405, open, 'POST /v1/stats', ''],
    [405, open, 'POST /healthz', ''],
    [413, open, 'GET /v1/stats', ''],
    [413, open, 'GET /nowhere', ''],
    [400, open, 'GET /v1/%zz', ''],
    [421, open, 'GET /v1/stats', 'Host: evil.example\r\n'],
    [401, closed, 'GET /v1/stats', ''],
    [421, closed, 'POST /v1/events', 'Host: evil.example\r\n'],
  ] as const
  const answered = cases.flatMap(([status, server, line, headers]) =>
    ['Content-Length: 100000', 'Transfer-Encoding: chunked'].map(async (length) => {
      const { hostname: host, port } = new URL(server.url)
      const socket = connect({ host, port: Number(port), allowHalfOpen: true })
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.on('error', () => {})
      const closing = new Promise((resolve) => socket.on('close', resolve))
      socket.write(`${line} HTTP/1.1\r\n${headers || 'Host: localhost\r\n'}${length}\r\n\r\nfffff\r\nx`)
      // It drips, and never ends by itself.
      const drip = setInterval(() => socket.write('x'), 20)
      await closing
      clearInterval(drip)
      expect(text, `${line} ${length}`).toMatch(
        new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*connection: close`, 'i'),
      )
    }),
  )
  await Promise.all(answered)
})

test('a client that reads only once it has sent all gets the refusal of a large body', async ({ serve }) => {
  const token = 'correct-horse-battery-staple'
  const server = await serve({ ingest: true, token })
  const other = await serve()
  const bearer = `Authorization: Bearer ${token}\r\nContent-Type: application/json\r\n`
  for (const [status, { url }, path, headers] of [
    [413, server, '/v1/events', bearer],
    [401, server, '/v1/events', ''],
    [421, server, '/v1/events', `Host: evil.example\r\n${bearer}`],
    [405, other, '/v1/events', ''],
  ] as const) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const body = Buffer.alloc(16 * 1024 * 1024, ' ')
    const host = headers.startsWith('Host') ? '' : 'Host: localhost\r\n'
    socket.write(`POST ${path} HTTP/1.1\r\n${host}${headers}Connection: close\r\n`)
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.write(`Content-Length: ${body.length}\r\n\r\n`)
      socket.write(body, () => resolve())
    })
    let text = ''
    for await (const chunk of socket) text += chunk
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  }
})

test('answers that are being read are bounded in bytes, those that are shared counted once', () => {
  const held = new HeldAnswers(100)
  const reader = () => new ServerResponse(new IncomingMessage(new Socket()))
  const [shared, other] = [Buffer.alloc(60), Buffer.alloc(60)]
  const readers = [reader(), reader()]
  for (const response of readers) held.hold(shared, response)
  expect(() => held.hold(other, reader())).toThrow('60 bytes of answers')
  readers[0]?.emit('close')
  expect(() => held.hold(other, reader())).toThrow('60 bytes of answers')
  readers[1]?.emit('close')
  held.hold(other, reader())
})

describe('boundRequests', () => {
  test('ends an answer that is not read in time', async () => {
    const server = createServer((_request, response) => {
      response.end(Buffer.alloc(64 * 1024 * 1024))
    })
    boundRequests(server, 200, () => false)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const [, response] = (await once(server, 'request')) as [unknown, ServerResponse]
    await once(response, 'close')
    // It reads what the kernel had taken by then.
    let received = 0
    socket.on('data', ({ length }) => {
      received += length
    })
    await new Promise((resolve) => socket.on('close', resolve))
    expect(received).toBeLessThan(64 * 1024 * 1024)
    server.close()
  })

  test('leaves a stream open for longer than any other answer may take', async () => {
    const app = await createApp({
      checkHost: hostCheck('127.0.0.1', []),
      ...{ tokenCheck: null, takesEvents: false, maxRequestMs: 20, logger: silentLogger },
    })
    onTestFinished(() => app.close())
    const start = async () => (response: ServerResponse) => {
      // The timer of the request was set before this one.
      setTimeout(() => response.end('data: late\n\n'), 60)
    }
    addStreamRoute(app, { start } as unknown as StreamHub, false)
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    expect(await (await fetch(`${url}/v1/stream`)).text()).toBe('data: late\n\n')
  })

  test.each([
    [1_048_576, 4096],
    [1024, 896],
    [256, 128],
    [100, 8],
    [Number.POSITIVE_INFINITY, 4096],
  ])('of %d descriptors takes %d connections', (descriptors, connections) => {
    expect(maxConnections(descriptors)).toBe(connections)
  })
})

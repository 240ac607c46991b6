import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished } from 'vitest'
import { startProxy } from '../../../src/clients/proxy/index.js'
import { opened } from '../../journal/support.js'
import { CHAT_TOKENS, chat, chatStream } from '../upstream/answers.js'
import { startUpstream } from '../upstream/upstream.js'
import { ask, begin, CHAT, chatBody, eventsOf, sendRaw, test } from './support.js'

/** An upstream of the test's own, which is closed after it. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('usage is asked for in place of a client that streams', () => {
  /** What a client gets that hasn't asked for usage. */
  function withoutUsage(): string {
    const { body } = chatStream()
    const extra = body.split('\n\n').find((event) => event.includes('"choices":[]'))
    return body.replace(`${extra}\n\n`, '')
  }

  test('and taken out of the answer, whatever its chunks', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo({ upstream: upstream.url, includeUsage: true })
    const body = chatBody({ stream: true })
    for (const [count, chunkBytes] of [1, 50, 100_000].entries()) {
      upstream.delivery = { chunkBytes }
      const answer = await ask(proxy.url, `${CHAT}?api-version=1`, { body })
      expect(answer.body.toString()).toBe(withoutUsage())
      expect(upstream.received[count]?.body).toBe(
        `${body.slice(0, -1)},"stream_options":{"include_usage":true}}`,
      )
      const [, ended] = (await proxy.eventsAfter(2 * count + 2)).slice(-2)
      expect(ended).toMatchObject({ type: 'stream_completed', success: true, ...CHAT_TOKENS })
    }
  })

  test('and an answer with a length has none, as it becomes shorter', async ({ proxyTo }) => {
    const { body } = chatStream()
    const url = await serve((_request, response) => {
      response.writeHead(200, {
        'content-type': 'text/event-stream',
        'content-length': Buffer.byteLength(body),
      })
      response.end(body)
    })
    const proxy = await proxyTo({ upstream: url, includeUsage: true })
    const answer = await ask(proxy.url, CHAT, { body: chatBody({ stream: true }) })
    expect(answer.body.toString()).toBe(withoutUsage())
    expect(answer.headers['content-length']).toBeUndefined()
  })

  test.for([
    ['that is no stream', CHAT, chatBody()],
    ['that wants none', CHAT, chatBody({ stream: true, stream_options: { include_usage: false } })],
    ['that asks for it', CHAT, chatBody({ stream: true, stream_options: { include_usage: true } })],
    ['of another API', '/v1/messages', chatBody({ stream: true })],
    ['that is longer than 1 MiB', CHAT, chatBody({ stream: true, user: 'u'.repeat(1024 * 1024) })],
    ["that isn't JSON", CHAT, 'model=gpt-4o&stream=true'],
  ] as const)('but a request %s passes with its answer as it is', async ([, path, body], { proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo({ upstream: upstream.url, includeUsage: true })
    const direct = await ask(upstream.url, path, { body })
    const answer = await ask(proxy.url, path, { body })
    expect(answer.body).toEqual(direct.body)
    expect(upstream.received.map((received) => received.body)).toEqual([body, body])
  })

  test('only where that is an option, of the proxy or of one upstream', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo({
      upstreams: { '/plain': upstream.url, '/asks': { url: upstream.url, includeUsage: true } },
    })
    const body = chatBody({ stream: true })
    await ask(proxy.url, `/plain${CHAT}`, { body })
    await ask(proxy.url, `/asks${CHAT}`, { body })
    expect(upstream.received[0]?.body).toBe(body)
    expect(upstream.received[1]?.body).toContain('include_usage')
  })
})

describe('an answer is passed byte for byte and logged with its tokens', () => {
  test('as a whole', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo(upstream.url)
    const body = chatBody()
    const answer = await ask(proxy.url, CHAT, { body })
    expect(answer.body.toString()).toBe(chat().body)
    expect(upstream.received[0]?.body).toBe(body)
    expect(proxy.events()).toEqual([
      expect.objectContaining({
        type: 'request_logged',
        model: 'gpt-4o',
        provider: '127.0.0.1',
        streaming: false,
        success: true,
        error_status: null,
        correlation_id: answer.headers['x-request-journal-correlation-id'],
        ...CHAT_TOKENS,
      }),
    ])
  })

  test('as a stream, whatever its chunks', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo({ upstream: upstream.url, provider: 'openai' })
    for (const [count, chunkBytes] of [1, 7, 1000].entries()) {
      upstream.delivery = { chunkBytes }
      const body = chatBody({ stream: true, stream_options: { include_usage: true } })
      const answer = await ask(proxy.url, CHAT, { body })
      expect(answer.body.toString()).toBe(chatStream().body)
      const [begun, ended] = (await proxy.eventsAfter(2 * count + 2)).slice(-2)
      expect(begun).toMatchObject({ type: 'request_logged', provider: 'openai', streaming: true })
      expect(ended).toMatchObject({ type: 'stream_completed', success: true, ...CHAT_TOKENS })
      expect(ended?.correlation_id).toBe(answer.headers['x-request-journal-correlation-id'])
    }
  })

  test.for(['gzip', 'br'] as const)(
    'compressed with %s, although it was asked not to be',
    async (encoding, { proxyTo }) => {
      const upstream = await startUpstream()
      upstream.delivery = { encoding, chunkBytes: 50 }
      const proxy = await proxyTo(upstream.url)
      const plain = await ask(upstream.url, CHAT, { body: chatBody() })
      const answer = await ask(proxy.url, CHAT, { body: chatBody() })
      expect(answer.body).toEqual(plain.body)
      expect(answer.headers['content-encoding']).toBe(encoding)
      const stream = await ask(proxy.url, CHAT, {
        body: chatBody({ stream: true, stream_options: { include_usage: true } }),
      })
      expect(stream.body.length).toBeGreaterThan(0)
      const [whole, begun, ended] = await proxy.eventsAfter(3)
      expect(whole).toMatchObject({ success: true, ...CHAT_TOKENS })
      expect(begun).toMatchObject({ streaming: true })
      expect(ended).toMatchObject({ type: 'stream_completed', success: true, ...CHAT_TOKENS })
    },
  )

  test.for(['gzip', 'br'] as const)(
    'compressed with %s and padded: logged, and at its end',
    async (encoding, { proxyTo }) => {
      const compressed = encoding === 'gzip' ? gzipSync(chat().body) : brotliCompressSync(chat().body)
      const padding = Buffer.alloc(8)
      const proxy = await proxyTo(
        await serve((_, response) => {
          response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': encoding })
          response.write(Buffer.concat([compressed, padding]))
          setTimeout(() => response.end(padding), 20)
        }),
      )
      const answer = await ask(proxy.url, CHAT, { body: chatBody() })
      expect(answer.body).toEqual(Buffer.concat([compressed, padding, padding]))
      expect(proxy.events()).toEqual([expect.objectContaining({ success: true, ...CHAT_TOKENS })])
    },
  )

  test('that is small and decodes to gigabytes is not read to its end', async ({ proxyTo }) => {
    const hundred = gzipSync(Buffer.alloc(100 * 1024 * 1024, ' '), { level: 1 })
    const bomb = Buffer.concat([gzipSync(chat().body), ...Array<Buffer>(50).fill(hundred)])
    const proxy = await proxyTo(
      await serve((_, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        response.end(bomb)
      }),
    )
    expect((await ask(proxy.url, CHAT, { body: chatBody() })).body.equals(bomb)).toBe(true)
    expect(proxy.events()).toEqual([expect.objectContaining({ success: true, input_tokens: null })])
  })

  test('compressed in a way that is not known: logged without tokens, as a success', async ({ proxyTo }) => {
    const proxy = await proxyTo(
      await serve((_, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'zstd' })
        response.end('\x28\xb5\x2f\xfd')
      }),
    )
    await ask(proxy.url, CHAT, { body: chatBody() })
    expect(proxy.events()).toEqual([expect.objectContaining({ success: true, input_tokens: null })])
  })
})

test("headers pass in their order and case, without those of one connection and the proxy's own", async ({
  proxyTo,
}) => {
  let seen: IncomingMessage | undefined
  const url = await serve((request, response) => {
    seen = request
    response.sendDate = false
    response.writeHead(201, 'Made', [
      ...['X-Custom', 'a', 'x-custom', 'b', 'Set-Cookie', 'c=1', 'set-cookie', 'd=2', 'X-Gone', '1'],
      ...['Connection', 'keep-alive, X-Gone', 'Proxy-Authenticate', 'Basic', 'Content-Type', 'text/plain'],
    ])
    response.end('ok')
  })
  const proxy = await proxyTo(url)
  const { port } = new URL(proxy.url)
  const head = [
    'POST /v1/files?purpose=x%20y HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Authorization: Bearer sk-upstream',
    'X-Case: One',
    'x-case: two',
    'X-Hop: 1',
    'Connection: close, X-Hop',
    'TE: trailers',
    'Proxy-Authorization: Basic eA==',
    'Accept-Encoding: gzip, br',
    'X-Request-Journal-Correlation-Id: mine',
    'Content-Length: 2',
  ]
  const answer = await sendRaw(proxy.url, `${head.join('\r\n')}\r\n\r\nhi`)
  expect(answer.split('\r\n')).toEqual([
    'HTTP/1.1 201 Made',
    ...['X-Custom: a', 'x-custom: b', 'Set-Cookie: c=1', 'set-cookie: d=2', 'Content-Type: text/plain'],
    ...['Connection: close', 'Transfer-Encoding: chunked', '', '2', 'ok', '0', '', ''],
  ])
  expect(seen?.url).toBe('/v1/files?purpose=x%20y')
  const sent = seen?.rawHeaders ?? []
  const pairs = sent.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${sent[at + 1]}`] : []))
  expect(pairs.sort()).toEqual(
    [
      `host: ${new URL(url).host}`,
      'connection: keep-alive',
      'Authorization: Bearer sk-upstream',
      ...['X-Case: One', 'x-case: two', 'Accept-Encoding: gzip, br', 'content-length: 2'],
    ].sort(),
  )
  // A file isn't a call of a model.
  expect(proxy.events()).toEqual([])
})

test('names with NUL, which the journal refuses, cost no row and leave no stream open', async ({
  proxyTo,
}) => {
  const proxy = await proxyTo(
    await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end('data: {"model":"m\\u0000","choices":[]}\n\ndata: [DONE]\n\n')
    }),
  )
  await ask(proxy.url, CHAT, { body: chatBody({ model: 'gpt\0', stream: true }) })
  expect(await proxy.eventsAfter(2)).toMatchObject([
    { type: 'request_logged', model: 'gpt\ufffd' },
    { type: 'stream_completed', response_model: 'm\ufffd' },
  ])
})

test('a call of a model asks for an answer that is not compressed', async ({ proxyTo }) => {
  const upstream = await startUpstream()
  const proxy = await proxyTo(upstream.url)
  await ask(proxy.url, CHAT, { body: chatBody(), headers: { 'accept-encoding': 'gzip' } })
  expect(upstream.received[0]?.headers['accept-encoding']).toBe('identity')
})

test('what is not a call of a model passes, and is not logged', async ({ proxyTo }) => {
  const upstream = await startUpstream()
  const proxy = await proxyTo(upstream.url)
  const direct = await ask(upstream.url, '/v1/models', { method: 'GET' })
  const answer = await ask(proxy.url, '/v1/models', { method: 'GET' })
  expect(answer.body).toEqual(direct.body)
  expect(answer.headers).not.toHaveProperty('x-request-journal-correlation-id')
  expect(proxy.events()).toEqual([])
})

test('HEAD, OPTIONS, DELETE, 204 and 304 pass with their heads, and without a body', async ({ proxyTo }) => {
  const proxy = await proxyTo(
    await serve((request, response) => {
      const status = { OPTIONS: 204, GET: 304 }[request.method ?? ''] ?? 200
      const length = request.method === 'DELETE' ? 0 : 1234
      const headers = status === 204 ? {} : { 'content-length': length }
      response.writeHead(status, { ...headers, allow: `${request.method}` }).end()
    }),
  )
  for (const [method, status, length] of [
    ['HEAD', 200, '1234'],
    ['OPTIONS', 204, undefined],
    ['GET', 304, '1234'],
    ['DELETE', 200, '0'],
  ] as const) {
    const answer = await ask(proxy.url, '/v1/files', { method })
    expect(answer).toMatchObject({ status, headers: { allow: method } })
    expect(answer.headers['content-length']).toBe(length)
    expect(answer.body.length).toBe(0)
  }
})

test('a redirect is passed on, and not followed', async ({ proxyTo }) => {
  const proxy = await proxyTo(
    await serve((_, response) => response.writeHead(307, { location: 'http://127.0.0.1:1/elsewhere' }).end()),
  )
  const answer = await ask(proxy.url, CHAT, { body: chatBody() })
  expect(answer).toMatchObject({ status: 307, headers: { location: 'http://127.0.0.1:1/elsewhere' } })
  expect(proxy.events()).toEqual([expect.objectContaining({ success: false, error_status: 307 })])
})

test('an error of the upstream is passed on and logged with its status and message', async ({ proxyTo }) => {
  const upstream = await startUpstream()
  const proxy = await proxyTo(upstream.url)
  const answer = await ask(proxy.url, '/v1/unknown', { body: chatBody() })
  expect(answer.status).toBe(404)
  expect(proxy.events()).toEqual([
    expect.objectContaining({
      success: false,
      error_status: 404,
      error_message: 'rate_limit_exceeded: Unknown request URL: POST /v1/unknown',
    }),
  ])
})

test('a status in words that HTTP does not know passes without them, and ends nothing', async ({
  proxyTo,
}) => {
  const proxy = await proxyTo(
    await serve((request, response) => {
      const words = Buffer.from('HTTP/1.1 400 Bad \u9519\u8bef\x01request\r\ncontent-length: 2\r\n\r\n{}')
      request.resume().on('end', () => response.socket?.write(words))
    }),
  )
  expect(await ask(proxy.url, CHAT, { body: chatBody() })).toMatchObject({
    status: 400,
    message: expect.stringMatching(/^Bad .*request$/),
  })
  expect(proxy.events()).toEqual([expect.objectContaining({ success: false, error_status: 400 })])
})

test('hints such as 103 are left out, and the answer after them passes', async ({ proxyTo }) => {
  const upstream = await startUpstream()
  upstream.handler = (_, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    return chat()
  }
  const proxy = await proxyTo(upstream.url)
  const answer = await ask(proxy.url, CHAT, { body: chatBody() })
  expect(answer.body.toString()).toBe(chat().body)
})

describe('a body', () => {
  test('that waits for 100 Continue gets it', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo(upstream.url)
    const body = chatBody()
    const { sent, response } = begin(proxy.url, CHAT, {
      headers: { expect: '100-continue', 'content-length': body.length },
    })
    await new Promise((resolve) => sent.once('continue', resolve))
    expect(upstream.received).toEqual([])
    sent.end(body)
    expect((await response).statusCode).toBe(200)
    expect(upstream.received[0]).toMatchObject({ body })
    expect(upstream.received[0]?.headers).not.toHaveProperty('expect')
  })

  test('of many megabytes passes as it comes, and is known by a model at its end', async ({ proxyTo }) => {
    let bytes = 0
    const url = await serve(async (request, response) => {
      for await (const chunk of request) bytes += chunk.length
      const { headers, body } = chat()
      response.writeHead(200, headers).end(body)
    })
    const proxy = await proxyTo(url)
    const { sent, response } = begin(proxy.url, CHAT, {
      headers: { 'content-type': 'application/json', expect: '100-continue' },
    })
    const part = 'x'.repeat(1024 * 1024)
    sent.write(`{"messages":["${part}`)
    sent.write(part)
    // Half of it is there before the rest is sent.
    while (bytes < 1.5 * part.length) await new Promise((resolve) => setTimeout(resolve, 5))
    sent.end(`${part}"],"model":"gpt-4o-mini","service_tier":"flex"}`)
    expect((await readAll(await response)).toString()).toBe(chat().body)
    const [event] = proxy.events()
    expect(event).toMatchObject({ model: 'gpt-4o-mini', success: true, ...CHAT_TOKENS })
  })

  test('that the upstream does not wait for does not cost the client its answer', async ({ proxyTo }) => {
    const proxy = await proxyTo(
      await serve((_, response) => {
        response.writeHead(413, { 'content-type': 'application/json' })
        response.end('{"error":{"message":"too large"}}')
      }),
    )
    const body = JSON.stringify({ model: 'gpt-4o', text: 'x'.repeat(8 * 1024 * 1024) })
    const answer = await ask(proxy.url, CHAT, { body })
    expect(answer).toMatchObject({ status: 413 })
    const [event] = await proxy.eventsAfter(1)
    expect(event).toMatchObject({ success: false, error_status: 413, error_message: 'too large' })
  })

  test('of a form passes unchanged', async ({ proxyTo }) => {
    let received: Buffer | undefined
    const url = await serve(async (request, response) => {
      received = await readAll(request)
      response.end(gzipSync('x'))
    })
    const proxy = await proxyTo(url)
    const body = Buffer.from([0, 1, 2, 255, 254, 13, 10])
    const answer = await ask(proxy.url, '/v1/files', {
      body,
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
    })
    expect(received).toEqual(body)
    expect(answer.body).toEqual(gzipSync('x'))
  })
})

describe('a row has', () => {
  test("labels of the proxy, of the upstream and of headers; the header isn't kept otherwise", async ({
    proxyTo,
  }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo({
      upstreams: { '/azure': { url: upstream.url, provider: 'azure', labels: { tier: 'gold' } } },
      labels: { env: 'test', tier: 'none' },
      labelHeaders: { 'X-User': 'user', 'x-request-journal-team': 'team', 'x-city': 'city', 'x-old': 'old' },
    })
    const headers = {
      'x-user': 'alice',
      // UTF-8, and Latin-1.
      'x-city': Buffer.from('Zürich 夜').toString('latin1'),
      'x-old': 'Zürich',
      'x-request-journal-team': 'search',
      authorization: 'Bearer sk-secret-of-mine',
    }
    // Node.js writes headers together with a body of text, as UTF-8.
    const body = Buffer.from(chatBody())
    await ask(proxy.url, '/azure/v1/chat/completions', { body, headers })
    expect(proxy.events()).toEqual([
      expect.objectContaining({
        provider: 'azure',
        labels: {
          env: 'test',
          tier: 'gold',
          user: 'alice',
          team: 'search',
          city: 'Zürich 夜',
          old: 'Zürich',
        },
        ...CHAT_TOKENS,
      }),
    ])
    expect(JSON.stringify(proxy.events())).not.toContain('sk-secret')
    expect(upstream.received[0]).toMatchObject({
      path: CHAT,
      headers: { 'x-user': 'alice', 'x-city': headers['x-city'], 'x-old': 'Zürich' },
    })
    expect(upstream.received[0]?.headers).not.toHaveProperty('x-request-journal-team')
  })

  test('a new correlation id if the header with it is empty', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo(upstream.url)
    const headers = { 'x-request-journal-correlation-id': '' }
    const answer = await ask(proxy.url, CHAT, { body: chatBody(), headers })
    expect(answer.headers['x-request-journal-correlation-id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('the correlation id that the client gives, and the try that its SDK tells', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo(upstream.url)
    const headers = { 'x-request-journal-correlation-id': 'order-66', 'x-stainless-retry-count': '2' }
    const answer = await ask(proxy.url, CHAT, { body: chatBody(), headers })
    expect(answer.headers['x-request-journal-correlation-id']).toBe('order-66')
    expect(proxy.events()).toEqual([expect.objectContaining({ correlation_id: 'order-66', attempt: 2 })])
  })
})

test('requests pass while the disk refuses, and their events are written when it takes them', async () => {
  const upstream = await startUpstream()
  const { journal, directory, faulty } = opened()
  const proxy = await startProxy(journal, { upstream: upstream.url, port: 0 })
  onTestFinished(() => proxy.close())
  faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, times: Number.POSITIVE_INFINITY })
  const answer = await ask(proxy.url, CHAT, { body: chatBody() })
  expect(answer.body.toString()).toBe(chat().body)
  expect(journal.counters).toMatchObject({ appended: 0, buffered: 1 })
  faulty.heal()
  await journal.flush()
  expect(eventsOf(directory)).toEqual([expect.objectContaining({ success: true, ...CHAT_TOKENS })])
})

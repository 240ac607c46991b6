import { once } from 'node:events'
import { createServer as createSocketServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { describe, expect, onTestFinished } from 'vitest'
import { chat, chatStream, openAiError } from '../upstream/answers.js'
import { startUpstream, type Upstream } from '../upstream/upstream.js'
import { ask, begin, CHAT, chatBody, test, until } from './support.js'

const STREAM = chatBody({ stream: true, stream_options: { include_usage: true } })

/** Waits until the upstream has seen that a connection was broken off. */
async function brokenOff(upstream: Upstream): Promise<void> {
  await until(
    () => upstream.brokenOff,
    (count) => count === 1,
  )
}

describe('a client that leaves is seen at once, passed on and logged', () => {
  test('before the answer has begun', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    upstream.delivery = { stallAfter: -1 }
    const proxy = await proxyTo(upstream.url)
    const { sent } = begin(proxy.url, CHAT, { body: STREAM })
    await until(
      () => upstream.received.length,
      (count) => count === 1,
    )
    sent.destroy()
    await brokenOff(upstream)
    const [event] = await proxy.eventsAfter(1)
    expect(event).toMatchObject({
      type: 'request_logged',
      success: false,
      error_message: 'aborted by the client before the answer began',
    })
  })

  test('in the middle of a stream', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    upstream.delivery = { stallAfter: 700 }
    const proxy = await proxyTo(upstream.url)
    const { sent, response } = begin(proxy.url, CHAT, { body: STREAM })
    await once(await response, 'data')
    sent.destroy()
    await brokenOff(upstream)
    const [begun, ended] = await proxy.eventsAfter(2)
    expect(begun).toMatchObject({ type: 'request_logged', streaming: true, success: true })
    expect(ended).toMatchObject({
      type: 'stream_completed',
      success: false,
      error_message: 'aborted by the client',
    })
  })

  test('while it is sending: nothing was asked of a model, so nothing is logged', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo(upstream.url)
    const { sent } = begin(proxy.url, CHAT, { headers: { 'content-length': 1000 } })
    sent.write('{"model":')
    await once(sent, 'socket')
    sent.destroy()
    await ask(proxy.url, CHAT, { body: chatBody() })
    expect(proxy.events()).toHaveLength(1)
    expect(upstream.received).toHaveLength(1)
  })

  test('while it is sending many megabytes', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo(upstream.url)
    const { sent } = begin(proxy.url, CHAT, { headers: { 'content-length': 9_000_000 } })
    await new Promise((resolve) => sent.write(`{"model":"gpt-4o","x":"${'x'.repeat(4_000_000)}`, resolve))
    sent.destroy()
    const [event] = await proxy.eventsAfter(1)
    expect(event).toMatchObject({
      success: false,
      error_message: 'aborted by the client before the answer began',
    })
  })
})

test('the head of an answer is passed on before its body begins', async ({ proxyTo }) => {
  const upstream = await startUpstream()
  upstream.delivery = { stallAfter: 0 }
  const proxy = await proxyTo(upstream.url)
  const { sent, response } = begin(proxy.url, CHAT, { body: STREAM })
  const { statusCode, headers } = await response
  expect(statusCode).toBe(200)
  expect(headers['content-type']).toBe('text/event-stream; charset=utf-8')
  sent.destroy()
  await brokenOff(upstream)
  const events = await proxy.eventsAfter(1)
  expect(events.at(-1)).toMatchObject({ success: false, error_message: 'aborted by the client' })
})

test('each part of a stream is passed on before the next one comes', async ({ proxyTo }) => {
  const upstream = await startUpstream()
  const parts: (() => void)[] = []
  upstream.handler = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const part of ['data: {}\n\n', 'data: {"x":1}\n\n', 'data: [DONE]\n\n'])
      parts.push(() => response.write(part))
    parts.push(() => response.end())
    return null
  }
  const proxy = await proxyTo(upstream.url)
  const { response } = begin(proxy.url, CHAT, { body: STREAM })
  const sendNext = async () => {
    await until(
      () => parts.length,
      (count) => count > 0,
    )
    parts.shift()?.()
  }
  await sendNext()
  const answer = await response
  const chunks: string[] = []
  answer.on('data', (chunk) => chunks.push(String(chunk)))
  await once(answer, 'data')
  // The row of a stream is there before its first byte is.
  expect(proxy.events()).toMatchObject([{ type: 'request_logged', streaming: true }])
  await sendNext()
  await once(answer, 'data')
  expect(chunks).toEqual(['data: {}\n\n', 'data: {"x":1}\n\n'])
  await sendNext()
  await sendNext()
  await once(answer, 'end')
  expect(proxy.events()[1]).toMatchObject({ type: 'stream_completed', success: true })
})

test('an upstream is read no faster than its client reads', async ({ proxyTo }) => {
  const part = Buffer.alloc(64 * 1024, ': fill.\n')
  const parts = 1600
  let sent = 0
  const upstream = await startUpstream()
  upstream.handler = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const send = () => {
      while (sent < parts && !response.writableNeedDrain) {
        response.write(part)
        sent++
      }
      if (sent === parts) response.end('data: [DONE]\n\n')
      else response.once('drain', send)
    }
    send()
    return null
  }
  const proxy = await proxyTo(upstream.url)
  const { response } = begin(proxy.url, CHAT, { body: STREAM })
  const answer = await response
  await once(answer, 'readable')
  // What is on its way fills the buffers of the system; then nothing more is taken.
  let [last, looks] = [-1, 0]
  await until(
    () => {
      looks = sent === last ? looks + 1 : 0
      last = sent
      return looks
    },
    (count) => count === 50,
  )
  expect(sent).toBeLessThan(parts / 2)
  let bytes = 0
  for await (const chunk of answer) bytes += chunk.length
  expect(bytes).toBe(parts * part.length + 'data: [DONE]\n\n'.length)
  expect((await proxy.eventsAfter(2))[1]).toMatchObject({ type: 'stream_completed', success: true })
})

test('100 streams at once each get their own bytes and rows', async ({ proxyTo }) => {
  const upstream = await startUpstream()
  upstream.delivery = { chunkBytes: 1500, pauseMs: 20 }
  const proxy = await proxyTo(upstream.url)
  const asked = Array.from({ length: 100 }, async (_, index) => {
    const headers = { 'x-request-journal-correlation-id': `stream-${index}` }
    return await ask(proxy.url, CHAT, { body: STREAM, headers })
  })
  for (const answer of await Promise.all(asked)) expect(answer.body.toString()).toBe(chatStream().body)
  const ends = proxy.events().filter(({ type, success }) => type === 'stream_completed' && success === true)
  expect(new Set(ends.map((event) => event['correlation_id'])).size).toBe(100)
  expect(proxy.events()).toHaveLength(200)
})

describe('an upstream that', () => {
  test('dies in the middle of a stream: the client sees that it broke off, and so does the log', async ({
    proxyTo,
  }) => {
    const upstream = await startUpstream()
    upstream.delivery = { breakAfter: 700 }
    const proxy = await proxyTo(upstream.url)
    await expect(ask(proxy.url, CHAT, { body: STREAM })).rejects.toThrow('aborted')
    const [, ended] = await proxy.eventsAfter(2)
    expect(ended).toMatchObject({
      type: 'stream_completed',
      success: false,
      error_message: expect.stringMatching(/^stream_incomplete: it broke off: http:.* closed the connection/),
    })
  })

  test('dies in the middle of an answer with a length', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    upstream.handler = (_, response) => {
      const { body, headers } = chat()
      response.writeHead(200, { ...headers, 'content-length': Buffer.byteLength(body) })
      response.write(body.slice(0, 100), () => response.destroy())
      return null
    }
    const proxy = await proxyTo(upstream.url)
    await expect(ask(proxy.url, CHAT, { body: chatBody() })).rejects.toThrow('aborted')
    const [event] = await proxy.eventsAfter(1)
    expect(event).toMatchObject({
      success: false,
      error_message: expect.stringMatching(/^answer incomplete: it broke off/),
    })
  })

  test('dies before it answers', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    upstream.delivery = { breakAfter: -1 }
    const proxy = await proxyTo(upstream.url)
    const answer = await ask(proxy.url, CHAT, { body: STREAM })
    expect(answer.status).toBe(502)
    const { origin } = new URL(upstream.url)
    const reason = `${origin}: it closed the connection (UND_ERR_SOCKET)`
    expect(answer.json()).toEqual({
      error: {
        message: `request-journal proxy: ${reason}`,
        type: 'proxy_error',
        param: null,
        code: 'upstream_failed',
      },
    })
    const [event] = await proxy.eventsAfter(1)
    expect(event).toMatchObject({
      success: false,
      error_status: null,
      error_message: `network error: no answer: ${reason}`,
    })
    expect(answer.headers['x-request-journal-correlation-id']).toBe(event?.correlation_id)
  })

  test('refuses the connection, also for a body that is long', async ({ proxyTo }) => {
    const proxy = await proxyTo('http://127.0.0.1:1')
    for (const text of ['', 'x'.repeat(3_000_000)]) {
      const answer = await ask(proxy.url, CHAT, { body: JSON.stringify({ text, model: 'gpt-4o' }) })
      expect(answer.status).toBe(502)
      expect(answer.body.toString()).toContain('it refused the connection (ECONNREFUSED)')
      expect(proxy.events().at(-1)).toMatchObject({ model: 'gpt-4o', success: false })
    }
    expect(proxy.events()).toHaveLength(2)
  })

  test("has a name that isn't known", async ({ proxyTo }) => {
    const proxy = await proxyTo('http://no-such-host.invalid')
    const answer = await ask(proxy.url, CHAT, { body: chatBody() })
    expect(answer.status).toBe(502)
    expect(answer.body.toString()).toMatch(
      /its name (isn't known \(ENOTFOUND\)|can't be resolved for now \(EAI_AGAIN\))/,
    )
  })

  test("doesn't speak TLS, or speaks something else than HTTP", async ({ proxyTo }) => {
    const server = createSocketServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')).listen(
      0,
      '127.0.0.1',
    )
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const secure = await ask((await proxyTo(`https://127.0.0.1:${port}`)).url, CHAT, { body: chatBody() })
    expect(secure.status).toBe(502)
    expect(secure.body.toString()).toContain("it doesn't speak TLS as expected")
    const plain = await ask((await proxyTo(`http://127.0.0.1:${port}`)).url, CHAT, { body: chatBody() })
    expect(plain.status).toBe(502)
    expect(plain.body.toString()).toContain("its answer isn't HTTP")
  })

  test('has a certificate that nobody has signed', async ({ proxyTo }) => {
    const server = createTlsServer({ key: KEY, cert: CERTIFICATE }).listen(0, '127.0.0.1')
    server.on('tlsClientError', () => {})
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const answer = await ask((await proxyTo(`https://127.0.0.1:${port}`)).url, CHAT, { body: chatBody() })
    expect(answer.status).toBe(502)
    expect(answer.body.toString()).toContain("its certificate isn't trusted: ")
  })

  test('answers with an error: logged with its status, and the next request goes on', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    upstream.answerNext(openAiError(429, 'slow down', { 'retry-after': '7' }))
    const proxy = await proxyTo(upstream.url)
    const refused = await ask(proxy.url, CHAT, { body: STREAM })
    expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '7' } })
    expect((await ask(proxy.url, CHAT, { body: STREAM })).body.toString()).toBe(chatStream().body)
    expect((await proxy.eventsAfter(3)).map(({ type, success }) => [type, success])).toEqual([
      ['request_logged', false],
      ['request_logged', true],
      ['stream_completed', true],
    ])
  })
})

describe('closing', () => {
  test('lets an answer that has begun end, and takes no more requests', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    upstream.delivery = { chunkBytes: 200, pauseMs: 10 }
    const proxy = await proxyTo({ upstream: upstream.url, graceMs: 60_000 })
    const answered = ask(proxy.url, CHAT, { body: STREAM })
    await proxy.eventsAfter(1)
    const closed = proxy.close()
    await expect(ask(proxy.url, CHAT, { body: STREAM })).rejects.toThrow('ECONNREFUSED')
    expect((await answered).body.toString()).toBe(chatStream().body)
    await closed
    expect(proxy.events()[1]).toMatchObject({ type: 'stream_completed', success: true })
  })

  test('logs a client that leaves meanwhile as one that has left', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    upstream.delivery = { stallAfter: 700 }
    const proxy = await proxyTo({ upstream: upstream.url, graceMs: 60_000 })
    const { sent } = begin(proxy.url, CHAT, { body: STREAM })
    await proxy.eventsAfter(1)
    const closed = proxy.close()
    sent.destroy()
    await closed
    expect(proxy.events()[1]).toMatchObject({ success: false, error_message: 'aborted by the client' })
  })

  test('cuts answers off when its time is over, and says so in the log', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    upstream.delivery = { stallAfter: 700 }
    const proxy = await proxyTo({ upstream: upstream.url, graceMs: 20 })
    const answered = ask(proxy.url, CHAT, { body: STREAM })
    await proxy.eventsAfter(1)
    await Promise.all([expect(answered).rejects.toThrow('aborted'), proxy.close()])
    expect(proxy.events()[1]).toMatchObject({
      success: false,
      error_message: 'stream_incomplete: it broke off: the proxy was stopped',
    })
  })
})

// Signed by itself, for a name that no test asks for.
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggxkwU5dTboA1QcXi
KGTD/QVUoQqfWKd1JJOssAzDCHuhRANCAASDdfJ++Al66YA9hLoYv58AhX6QZNUv
PFliuP+hjDJSy0skD/AuFDIr9e9CrEGjllOmMK9bdGv74RQDLjivbcm2
-----END PRIVATE KEY-----`
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBgDCCASegAwIBAgIUOMc4+vcIvh96x+5GG9xf35PXBWgwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKcHJveHkudGVzdDAgFw0yNjExMjcwOTI4MjJaGA8yMTI2MTEw
MzA5MjgyMlowFTETMBEGA1UEAwwKcHJveHkudGVzdDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABIN18n74CXrpgD2Euhi/nwCFfpBk1S88WWK4/6GMMlLLSyQP8C4U
Miv170KsQaOWU6Ywr1t0a/vhFAMuOK9tybajUzBRMB0GA1UdDgQWBBTgP/1R/SdM
UoxWDxdAyi6XVqY5rzAfBgNVHSMEGDAWgBTgP/1R/SdMUoxWDxdAyi6XVqY5rzAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIAjUv1X48NdgFCxcJqTC
9ufP7hZ9LfQDtb1S/j1UY/toAiBq9VrxAZgQJuwyJZ2xgAKc31+6slmmS3fWYCF/
Ulb3UQ==
-----END CERTIFICATE-----`

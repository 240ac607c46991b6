import { describe, expect } from 'vitest'
import { isLoopback } from '../../../src/clients/proxy/access.js'
import { isSecretHeader } from '../../../src/clients/proxy/headers.js'
import { startUpstream } from '../upstream/upstream.js'
import { ask, CHAT, chatBody, sendRaw, test } from './support.js'

const TOKEN = 'a-token-of-the-tests'

test('a token is asked for in a header of its own, and not passed on', async ({ proxyTo }) => {
  const upstream = await startUpstream()
  const proxy = await proxyTo({ upstream: upstream.url, token: TOKEN })
  const authorization = 'Bearer sk-of-the-client'
  for (const headers of [
    { authorization },
    { authorization, 'x-request-journal-token': 'a-token-of-somebody' },
  ]) {
    const answer = await ask(proxy.url, CHAT, { body: chatBody(), headers })
    expect(answer.status).toBe(401)
    expect(answer.json()).toMatchObject({ error: { type: 'proxy_error', code: 'invalid_token' } })
    expect(answer.body.toString()).not.toContain(TOKEN)
  }
  const headers = { authorization, 'x-request-journal-token': TOKEN }
  expect((await ask(proxy.url, CHAT, { body: chatBody(), headers })).status).toBe(200)
  expect(upstream.received).toHaveLength(1)
  expect(upstream.received[0]?.headers).toMatchObject({ authorization })
  expect(upstream.received[0]?.headers).not.toHaveProperty('x-request-journal-token')
  expect(proxy.events()).toHaveLength(1)
})

test.for([
  ['evil.example', 421],
  ['evil.example:8791', 421],
  ['localhost', 200],
  ['LOCALHOST:1', 200],
  ['127.0.0.1:8791', 200],
  ['[::1]:8791', 200],
  ['gateway.internal', 200],
] as const)(
  "without a token, the Host '%s' is answered with %d: a page may name this machine as it likes",
  async ([host, status], { proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo({ upstream: upstream.url, allowedHosts: ['gateway.internal'] })
    const answer = await ask(proxy.url, CHAT, { body: chatBody(), headers: { host } })
    expect(answer.status).toBe(status)
    expect(upstream.received).toHaveLength(status === 200 ? 1 : 0)
  },
)

test('any Host is right for those who show the token, and for an open proxy', async ({ proxyTo }) => {
  const upstream = await startUpstream()
  const headers = { host: 'proxy.example', 'x-request-journal-token': TOKEN }
  for (const options of [{ token: TOKEN }, { open: true }]) {
    const proxy = await proxyTo({ upstream: upstream.url, ...options })
    expect((await ask(proxy.url, CHAT, { body: chatBody(), headers })).status).toBe(200)
  }
})

describe('it starts beyond this machine', () => {
  test('only with a token or if it is to be open', async ({ proxyTo }) => {
    const upstream = 'http://127.0.0.1:1'
    await expect(proxyTo({ upstream, host: '0.0.0.0' })).rejects.toMatchObject({ code: 'TOKEN_REQUIRED' })
    await expect(proxyTo({ upstream, host: 'example.org' })).rejects.toMatchObject({ code: 'TOKEN_REQUIRED' })
    expect((await proxyTo({ upstream, host: '0.0.0.0', token: TOKEN })).url).toMatch(
      /^http:\/\/127\.0\.0\.1:\d+$/,
    )
    expect((await proxyTo({ upstream, host: '0.0.0.0', open: true })).url).toMatch(
      /^http:\/\/127\.0\.0\.1:\d+$/,
    )
  })

  test.for(['', 'short', 'with a space in the token', 'ümlaut-ümlaut-ümlaut'])(
    "not with the token '%s'",
    async (token, { proxyTo }) => {
      await expect(proxyTo({ upstream: 'http://127.0.0.1:1', token })).rejects.toMatchObject({
        code: 'TOKEN_INVALID',
      })
    },
  )

  test.for([
    ['127.0.0.1', true],
    ['127.1.2.3', true],
    ['::1', true],
    ['localhost', true],
    ['127.0.0.1.example.org', false],
    ['0.0.0.0', false],
    ['::', false],
    ['192.168.1.1', false],
  ] as const)('%s is this machine only: %s', ([host, expected]) => {
    expect(isLoopback(host)).toBe(expected)
  })
})

test('it says which address it can not have', async ({ proxyTo }) => {
  const { url } = await proxyTo('http://127.0.0.1:1')
  const port = Number(new URL(url).port)
  await expect(proxyTo({ upstream: 'http://127.0.0.1:1', port })).rejects.toMatchObject({
    code: 'ADDRESS_UNAVAILABLE',
    message: expect.stringContaining('something listens there already'),
  })
})

test.for([
  [{}, 'found neither, expected either'],
  [{ upstream: 'http://a.example', upstreams: {} }, 'found both'],
  [{ upstream: 'http://a.example', prot: 1 }, "startProxy has no option 'prot'"],
  [{ upstream: 'http://a.example', port: 70_000 }, 'found 70000'],
  [{ upstream: 'http://a.example', graceMs: -1 }, 'found -1'],
  [
    { upstream: 'http://a.example', labelHeaders: { Authorization: 'key' } },
    'found authorization, expected a header without a key',
  ],
  [{ upstream: 'http://a.example', labelHeaders: { 'X-Api-Key': 'key' } }, 'found x-api-key'],
] as const)('%j is refused: %s', async ([options, message], { proxyTo }) => {
  await expect(proxyTo(options as never)).rejects.toThrow(message)
})

test('a header that may have a secret becomes no label, whatever its name', () => {
  const secret = [
    ...['authorization', 'proxy-authorization', 'cookie', 'api-key', 'x-api-key', 'x-goog-api-key'],
    ...['x-request-journal-token', 'ocp-apim-subscription-key', 'x-auth-token', 'helicone-auth'],
    ...[
      'x-portkey-api-key',
      'x-amz-security-token',
      'cf-access-client-secret',
      'x-apikey',
      'x-amzn-oidc-data',
    ],
  ]
  expect(secret.filter((name) => !isSecretHeader(name))).toEqual([])
  const harmless = [
    'x-user',
    'x-team',
    'x-key-id',
    'x-key-name',
    'idempotency-key',
    'x-session-id',
    'x-monkey',
  ]
  expect(harmless.filter(isSecretHeader)).toEqual([])
})

describe('a request is refused', () => {
  test.for([
    ['with two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello', '400'],
    ['with a length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', '400'],
    ['with chunks under another name', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n', '400'],
    ['with a space in the name of a header', 'Content-Length : 5\r\n\r\nhello', '400'],
    ['with a header of 20 kB', `X-Long: ${'x'.repeat(20_000)}\r\n\r\n`, '431'],
    ['for a WebSocket', 'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n', '501'],
  ])('%s', async ([, rest, status], { proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo(upstream.url)
    const answer = await sendRaw(
      proxy.url,
      `POST ${CHAT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${rest}`,
    )
    expect(answer).toContain(`HTTP/1.1 ${status}`)
    expect(upstream.received).toEqual([])
    expect(proxy.events()).toEqual([])
  })

  test.for([
    '/a/../../admin',
    '/a/%2e%2e/admin',
    '/a/..%2f..%2fadmin',
    'http://evil.example/',
    '/b/v1',
    '/ab',
  ])('whose path leads out of its upstream, or to none: %s', async (path, { proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo({ upstreams: { '/a': `${upstream.url}/base` } })
    const answer = await sendRaw(
      proxy.url,
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /)
    expect(upstream.received).toEqual([])
  })

  test('but not for an upgrade that may be ignored', async ({ proxyTo }) => {
    const upstream = await startUpstream()
    const proxy = await proxyTo(upstream.url)
    const headers = { upgrade: 'h2c', connection: 'Upgrade, HTTP2-Settings', 'http2-settings': 'AAMAAABk' }
    expect((await ask(proxy.url, CHAT, { body: chatBody(), headers })).status).toBe(200)
    expect(upstream.received[0]?.headers).not.toHaveProperty('http2-settings')
  })
})

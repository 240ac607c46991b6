import { mkdirSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { describe, expect } from 'vitest'
import { log, requestLog, TOKEN, test } from '../support.js'

const ROUTES = [
  '/',
  '/assets/uplot/uPlot.min.css',
  '/metrics',
  '/openapi.json',
  '/v1/stats',
  '/v1/series',
  '/v1/requests',
  '/v1/requests/1',
  '/v1/stream',
  '/nowhere',
]

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

describe('token', () => {
  test('every route but /healthz asks for it, whatever the method', async ({ closedServer: server }) => {
    for (const path of ROUTES) {
      for (const method of ['GET', 'HEAD', 'POST']) {
        const answer = await server.get(path, { method })
        expect(answer.status, `${method} ${path}`).toBe(401)
        expect(answer.headers['www-authenticate']).toBe(
          'Basic realm="request-journal", charset="UTF-8", Bearer realm="request-journal"',
        )
        if (method === 'GET') expect(answer.body.error).toMatchObject({ type: 'arbstr_error', code: 401 })
        expect(answer.text).not.toContain(TOKEN)
      }
    }
    expect((await server.get('/healthz')).status).not.toBe(401)
  })

  test('is taken as bearer, and as the password of basic; nothing else is', async ({
    closedServer: server,
  }) => {
    const status = async (authorization: string) =>
      (await server.get('/v1/stats', { headers: { authorization } })).status
    for (const right of [
      `Bearer ${TOKEN}`,
      `bearer ${TOKEN}`,
      basic(`anyone:${TOKEN}`),
      basic(`:${TOKEN}`),
    ]) {
      expect(await status(right), right).toBe(200)
    }
    for (const wrong of [
      '',
      'Bearer',
      'Bearer ',
      TOKEN,
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(0, -1)}`,
      `Bearer ${TOKEN} x`,
      `Bearer ${TOKEN.toUpperCase()}`,
      `Digest ${TOKEN}`,
      basic(TOKEN),
      basic(`${TOKEN}:`),
      basic(`x:${TOKEN}:`),
      'Basic ###',
    ]) {
      expect(await status(wrong), wrong).toBe(401)
    }
    expect((await server.get(`/v1/stats?token=${TOKEN}`)).status).toBe(401)
  })

  test('a server on every address of IPv6 has a URL that browsers open', async ({ serve }) => {
    const server = await serve({ host: '::', token: TOKEN })
    const { hostname, port } = new URL(server.url)
    expect(hostname).toBe('[::1]')
    await expect(serve({ host: '::', token: TOKEN, port: Number(port) })).rejects.toThrow(
      'another port with --port (proxy: --serve-port)',
    )
    await server.close()
  })

  test('an empty one, or one that no header carries, is refused', async ({ place, serve }) => {
    await log(place, [])
    for (const token of ['', ' ', 'a b', 'a\nb', 'tökén']) {
      await expect(serve({ token })).rejects.toMatchObject({ name: 'ServerError', code: 'TOKEN_INVALID' })
    }
  })

  test('is in no log line', async ({ place, serve }) => {
    await log(place, [requestLog()])
    const lines: string[] = []
    const write = (fields: object, message: string) => {
      lines.push(
        JSON.stringify(fields, (_key, value) => (value instanceof Error ? value.stack : value)) + message,
      )
    }
    const server = await serve({
      token: TOKEN,
      logger: { debug: write, info: write, warn: write, error: write },
    })
    for (const authorization of [`Bearer ${TOKEN}`, basic(`x:${TOKEN}`), `Bearer ${TOKEN}x`]) {
      await server.get('/v1/stats', { headers: { authorization } })
    }
    await server.close()
    expect(lines.join('\n')).toContain('/v1/stats')
    expect(lines.join('\n')).not.toContain(TOKEN)
    expect(lines.join('\n')).not.toContain(Buffer.from(`x:${TOKEN}`).toString('base64'))
  })
})

describe('wrong tokens', () => {
  test('are answered one after the other, ten a second; the right one never waits', async ({
    place,
    serve,
  }) => {
    await log(place, [requestLog()])
    const server = await serve({ token: TOKEN })
    const ask = (token: string) => server.get('/v1/stats', { headers: { authorization: `Bearer ${token}` } })
    const startedAt = performance.now()
    let answered = 0
    const guesses = Array.from({ length: 20 }, async (_, i) => {
      const { status } = await ask(`${TOKEN}${i}`)
      answered++
      return status
    })
    expect((await ask(TOKEN)).status).toBe(200)
    expect(answered).toBeLessThan(20)
    expect(new Set(await Promise.all(guesses))).toEqual(new Set([401]))
    expect(performance.now() - startedAt).toBeGreaterThan(1900)
  })

  test('a token under 16 characters is refused', async ({ place, serve }) => {
    await log(place, [])
    await expect(serve({ token: 'x'.repeat(15) })).rejects.toMatchObject({
      code: 'TOKEN_INVALID',
      message: expect.stringContaining('expected at least 16; make one with'),
    })
    await serve({ token: 'x'.repeat(16) })
  })
})

describe('a page of another origin', () => {
  const from = (site: string, mode: string, dest: string) => ({
    'sec-fetch-site': site,
    'sec-fetch-mode': mode,
    'sec-fetch-dest': dest,
  })

  test('can make a browser ask nothing, on no route', async ({ openServer: server }) => {
    for (const path of [...ROUTES, '/healthz']) {
      for (const headers of [
        from('cross-site', 'no-cors', 'image'),
        from('same-site', 'cors', 'empty'),
        from('cross-site', 'navigate', 'iframe'),
        { 'sec-fetch-site': 'cross-site' },
      ]) {
        const { status, body } = await server.get(path, { headers })
        expect(status, `${path} ${JSON.stringify(headers)}`).toBe(403)
        expect(body.error).toMatchObject({ type: 'arbstr_error', code: 403 })
      }
    }
    const link = from('cross-site', 'navigate', 'document')
    expect((await server.get('/v1/stats', { headers: link })).status).toBe(403)
  })

  test('may link to the page; the page itself, a bookmark and a program may ask all', async ({
    openServer: server,
  }) => {
    expect((await server.get('/', { headers: from('cross-site', 'navigate', 'document') })).status).toBe(200)
    for (const headers of [
      from('same-origin', 'cors', 'empty'),
      from('none', 'navigate', 'document'),
      {} as Record<string, string>,
    ]) {
      expect((await server.get('/v1/stats', { headers })).status).toBe(200)
    }
  })
})

describe('listening', () => {
  test.each(['0.0.0.0', '::', '192.0.2.1'])(
    'on anything but loopback without a token is refused, and says why: %s',
    async (host) => {
      const { startServer } = await import('../../../src/server/index.js')
      await expect(startServer({ database: '/nowhere/requests.db', host })).rejects.toMatchObject({
        code: 'TOKEN_REQUIRED',
        message: expect.stringContaining('--token-file'),
      })
    },
  )

  test.each(['127.0.0.1', 'localhost', '::1', '127.0.0.2'])('on loopback needs none: %s', async (host) => {
    const { isLoopback } = await import('../../../src/server/http/origin-checks.js')
    expect(await isLoopback(host)).toBe(true)
  })

  test('with a token it listens everywhere, and takes addresses as hosts', async ({ place, serve }) => {
    await log(place, [requestLog()])
    const server = await serve({ host: '0.0.0.0', token: TOKEN })
    const port = new URL(server.url).port
    const addresses = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
    const outer =
      addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1'
    const status = async (host: string) =>
      (await server.get('/v1/stats', { headers: { host, authorization: `Bearer ${TOKEN}` } })).status
    expect(await status(`${outer}:${port}`)).toBe(200)
    expect(await status('[::1]')).toBe(200)
    expect(await status('evil.example')).toBe(421)
  })
})

describe('host', () => {
  test("only names of this machine and allowed ones are served: a page can't point its own name here", async ({
    place,
    serve,
  }) => {
    await log(place, [])
    const server = await serve({ allowedHosts: ['logs.example.org'] })
    const { port } = new URL(server.url)
    for (const host of [
      `127.0.0.1:${port}`,
      `localhost:${port}`,
      'LOCALHOST',
      // Tunnels and containers change the port.
      'localhost:9999',
      '[::1]:80',
      '127.0.0.2',
      'logs.example.org',
      'Logs.Example.org:443',
    ]) {
      expect((await server.get('/v1/stats', { headers: { host } })).status, host).toBe(200)
    }
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'logs.example.org.evil.example',
      '10.0.0.1',
      '0.0.0.0',
      '[::]',
      'localhost:x',
      'a@localhost',
      '[localhost',
    ]) {
      const { status, body } = await server.get('/healthz', { headers: { host } })
      expect(status, host).toBe(421)
      expect(body.error).toMatchObject({ type: 'arbstr_error', code: 421 })
    }
  })
})

test('headers: no sniffing, no frames, no inline script, no referrer, no store, no CORS', async ({
  openServer: server,
}) => {
  const origin = 'https://evil.example'
  for (const path of [
    ...ROUTES.filter((route) => route !== '/v1/stream'),
    '/healthz',
    '/v1/%zz',
    '/v1/stats?range=x',
  ]) {
    const { headers } = await server.get(path, { headers: { origin } })
    expect(headers, path).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'content-security-policy': expect.stringMatching(
        /default-src 'none'.*script-src 'self';.*frame-ancestors 'none'/,
      ),
    })
    expect(String(headers['content-security-policy'])).not.toMatch(/unsafe|\*/)
    expect(headers['access-control-allow-origin']).toBeUndefined()
    const isFile = path === '/' || path.startsWith('/assets/')
    expect(headers['cache-control'], path).toBe(isFile ? 'no-cache' : 'no-store')
    expect(headers['x-powered-by']).toBeUndefined()
  }
})

test('a database that is no file is an error before anything listens', async ({ place, serve }) => {
  mkdirSync(place.database)
  await expect(serve()).rejects.toMatchObject({ name: 'DatabaseError' })
})

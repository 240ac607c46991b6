import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished } from 'vitest'
import { NGINX, nginxWith, RunningProxy } from '../dashboard/support/proxy.js'
import { TOKEN, test } from '../server/support.js'

const SHIPPED = readFileSync(fileURLToPath(new URL('../../deploy/nginx.conf', import.meta.url)), 'utf8')
const INGEST_TOKEN = 'appends-and-reads-nothing'

/** The shipped file on a port of the test, without a certificate. */
const behind = (configuration: string) =>
  nginxWith((port, upstream) =>
    configuration
      .replace('443 ssl http2', `127.0.0.1:${port}`)
      .replace(/^ *ssl_.*\n/gm, '')
      .replaceAll('127.0.0.1:8790', `127.0.0.1:${upstream}`),
  )

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

describe.skipIf(!existsSync(NGINX))('deploy/nginx.conf (needs nginx)', () => {
  test('passes on the page, the API, the demand for a token, and large bodies of events', async ({
    serve,
  }) => {
    const server = await serve({ token: TOKEN, ingest: true, ingestToken: INGEST_TOKEN })
    const proxy = await RunningProxy.start(behind(SHIPPED), Number(new URL(server.url).port))
    try {
      const ask = async (path: string, authorization?: string) =>
        await fetch(`${proxy.url}${path}`, { headers: authorization ? { authorization } : {} })
      expect((await ask('/v1/first-steps')).status).toBe(401)
      const page = await ask('/', basic('anyone', TOKEN))
      expect(await page.text()).toContain('<title>request-journal</title>')
      expect((await ask('/v1/first-steps', basic('anyone', TOKEN))).status).toBe(200)
      expect((await ask('/livez')).status).toBe(200)
      for (const path of ['/healthz', '/metrics']) {
        const refused = await ask(path)
        expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
          401,
          expect.stringContaining('Basic'),
        ])
        expect((await ask(path, basic('anyone', 'wrong'))).status).toBe(401)
        expect((await ask(path, basic('anyone', TOKEN))).status).not.toBe(401)
      }
      expect(await (await ask('/healthz', basic('anyone', TOKEN))).json()).toHaveProperty('problems')
      expect((await ask('/token-is-right', basic('anyone', TOKEN))).status).toBe(404)
      const event = { model: 'm', latency_ms: 1, success: true, error_message: 'x'.repeat(1000) }
      const posted = await fetch(`${proxy.url}/v1/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${INGEST_TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify(Array.from({ length: 3000 }, () => event)),
      })
      expect(await posted.json()).toMatchObject({ appended: 3000 })
    } finally {
      await proxy.stop()
    }
  })

  test('as it stands, with a certificate, speaks HTTP/2 over TLS', async ({ serve }) => {
    const folder = mkdtempSync(join(tmpdir(), 'request-journal-nginx-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
    const made = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '1',
    ]
    const names = ['-subj', '/CN=logs.example.org', '-addext', 'subjectAltName=DNS:logs.example.org']
    execFileSync('openssl', [...made, ...names, '-keyout', key, '-out', certificate], { stdio: 'ignore' })
    const server = await serve({ token: TOKEN })
    const kind = nginxWith((port, upstream) =>
      SHIPPED.replace('listen 443', `listen 127.0.0.1:${port}`)
        .replace('/etc/ssl/logs.example.org.pem', certificate)
        .replace('/etc/ssl/private/logs.example.org.key', key)
        .replaceAll('127.0.0.1:8790', `127.0.0.1:${upstream}`),
    )
    const proxy = await RunningProxy.start(kind, Number(new URL(server.url).port))
    const options = { ca: readFileSync(certificate), servername: 'logs.example.org' }
    const session = connect(proxy.url.replace('http:', 'https:'), options)
    try {
      const request = session.request({ ':path': '/', authorization: basic('anyone', TOKEN) })
      expect(await text(request)).toContain('<title>request-journal</title>')
      expect(session.alpnProtocol).toBe('h2')
    } finally {
      session.close()
      await proxy.stop()
    }
  })

  test('with users of its own gives serve the token, and leaves events to their clients', async ({
    serve,
  }) => {
    const folder = mkdtempSync(join(tmpdir(), 'request-journal-nginx-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'request-journal.htpasswd'), 'ann:{PLAIN}secret\n')
    writeFileSync(
      join(folder, 'request-journal-token.conf'),
      `proxy_set_header Authorization "Bearer ${TOKEN}";\n`,
    )
    const [, commented = ''] = /^( {2}# location \/ \{.*^ {2}# \})/ms.exec(SHIPPED) ?? []
    const withUsers = SHIPPED.replace(
      /^ {2}location (\/|= \/healthz|= \/token-is-right) \{.*?^ {2}\}\n/gms,
      '',
    )
      .replace(commented, commented.replace(/^ {2}# /gm, '  '))
      .replaceAll('/etc/nginx', folder)
    const server = await serve({ token: TOKEN, ingest: true, ingestToken: INGEST_TOKEN })
    const proxy = await RunningProxy.start(behind(withUsers), Number(new URL(server.url).port))
    try {
      const ask = async (path: string, authorization: string, body?: string) => {
        const headers = { authorization, 'content-type': 'application/json' }
        const method = body === undefined ? 'GET' : 'POST'
        return (await fetch(`${proxy.url}${path}`, { method, headers, body: body ?? null })).status
      }
      expect(await ask('/', basic('ann', 'wrong'))).toBe(401)
      expect(await ask('/', basic('ann', 'secret'))).toBe(200)
      expect(await ask('/healthz', basic('ann', 'wrong'))).toBe(401)
      expect(await ask('/healthz', basic('ann', 'secret'))).toBe(503)
      const event = '{"model":"m","latency_ms":1,"success":true}'
      expect(await ask('/v1/events', basic('ann', 'secret'), event)).toBe(401)
      expect(await ask('/v1/events', `Bearer ${INGEST_TOKEN}`, event)).toBe(200)
    } finally {
      await proxy.stop()
    }
  })
})

import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished } from 'vitest'
import { silentLogger } from '../../../src/journal/logger.js'
import { projectOnce } from '../../../src/projection/index.js'
import { createApp } from '../../../src/server/http/app.js'
import { hostCheck } from '../../../src/server/http/origin-checks.js'
import { addEventsRoute } from '../../../src/server/http/routes/events.js'
import { Ingest } from '../../../src/server/ingest/ingest.js'
import { MAX_BODY_BYTES } from '../../../src/server/ingest/posted-events.js'
import { opened } from '../../journal/support.js'
import { runHere } from '../../support/command.js'
import { FaultyFileSystem } from '../../support/faulty-file-system.js'
import {
  type AskOptions,
  test as base,
  makePlace,
  type Place,
  serve as serveAt,
  type TestServer,
  TOKEN,
} from '../support.js'

const EVENT = { model: 'gpt-4o', latency_ms: 5, success: true }

function post(server: TestServer, body: unknown, headers: Record<string, string> = {}, path = '/v1/events') {
  const options: AskOptions = {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  }
  return server.get(path, options)
}

/** With a server that takes events, which tests share. */
const test = base.extend<{ taking: { place: Place; server: TestServer } }>({
  taking: [
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures a fixture needs from this pattern
    async ({}, use) => {
      const place = makePlace()
      const server = await serveAt(place, { ingest: true, token: TOKEN })
      await use({ place, server })
      await server.close()
      rmSync(place.directory, { recursive: true, force: true })
    },
    { scope: 'file' },
  ],
})

function linesOf({ journal }: Place): string[] {
  return readdirSync(journal)
    .filter((name) => name.endsWith('.ndjson'))
    .flatMap((name) => readFileSync(join(journal, name), 'utf8').split('\n').slice(0, -1))
}

describe('POST /v1/events', () => {
  test('appends to a journal that it makes, and tells counts and correlation_ids; a projector makes rows of it', async ({
    place,
    serve,
  }) => {
    const server = await serve({ ingest: true, token: TOKEN })
    const timestamp = new Date(Date.now() - 60_000).toISOString()
    const answer = await post(server, [{ ...EVENT, correlation_id: 'mine', timestamp }, EVENT])
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({
      ...{ appended: 2, repeated: 0, journal_id: expect.any(String) },
      correlation_ids: ['mine', expect.any(String)],
    })
    await projectOnce(place)
    const list = await server.get('/v1/requests?details=true', {
      headers: { authorization: `Bearer ${TOKEN}` },
    })
    expect(list.body.data).toMatchObject([
      { correlation_id: answer.body.correlation_ids[1] },
      { correlation_id: 'mine', timestamp },
    ])
  })

  test('takes an idempotency-key, and events by lines', async ({ taking: { place, server } }) => {
    const before = linesOf(place).length
    const lines = `${JSON.stringify(EVENT)}\n${JSON.stringify(EVENT)}\n`
    const headers = { 'content-type': 'application/x-ndjson; charset=utf-8', 'idempotency-key': 'a-1' }
    const first = await post(server, lines, headers)
    const again = await post(server, lines, headers)
    expect(again.body).toEqual({ ...first.body, appended: 0, repeated: 2 })
    expect(linesOf(place)).toHaveLength(before + 2)
    expect(await post(server, [EVENT], { 'idempotency-key': 'a-1' })).toMatchObject({ status: 422 })
    for (const key of ['', 'a b', 'ä', 'x'.repeat(129)]) {
      expect(
        (await post(server, [EVENT], { 'idempotency-key': Buffer.from(key).toString('latin1') })).status,
      ).toBe(400)
    }
    expect(linesOf(place)).toHaveLength(before + 2)
  })

  test('warns of members that no event has, and appends the events', async ({
    taking: { place, server },
  }) => {
    const before = linesOf(place).length
    const typo = { ...EVENT, prompt_tokens: 19, outputtokens: 10 }
    const { status, body } = await post(server, [EVENT, typo, typo])
    expect({ status, body }).toMatchObject({ status: 200, body: { appended: 3 } })
    expect(body.warnings).toEqual([
      {
        index: 1,
        message: expect.stringMatching(/^prompt_tokens: request_logged has no such member.*ignored$/),
      },
      { index: 1, message: expect.stringMatching(/^outputtokens: .* did you mean output_tokens\?$/) },
    ])
    expect(linesOf(place)).toHaveLength(before + 3)
    expect((await post(server, [EVENT])).body).not.toHaveProperty('warnings')
  })

  test('names what is wrong with each event, and writes nothing then', async ({
    taking: { place, server },
  }) => {
    const before = linesOf(place).length
    const { status, body } = await post(server, [EVENT, { model: 'm' }])
    expect(status).toBe(400)
    expect(body).toEqual({
      error: {
        message: expect.stringMatching(/^Invalid request: nothing was written, because 1 of 2 event\(s\)/),
        ...{ type: 'arbstr_error', code: 400 },
      },
      appended: 0,
      errors: [{ index: 1, message: expect.stringContaining('latency_ms: found nothing') }],
    })
    const alone = await post(server, { model: 'm' })
    expect(alone.body.error.message).toMatch(/because the event can't be appended: latency_ms: found nothing/)
    const typo = await post(server, { ...EVENT, type: 'stream_complete' })
    expect(typo.body.errors[0].message).toMatch(/no type at all; did you mean 'stream_completed'\?$/)
    expect((await post(server, '{')).body.error.message).toContain('the body is not JSON')
    expect((await post(server, '')).status).toBe(400)
    expect(linesOf(place)).toHaveLength(before)
  })

  test('refuses what is too large, and other kinds of bodies', async ({ taking: { place, server } }) => {
    const before = linesOf(place).length
    const large = await post(server, ' '.repeat(MAX_BODY_BYTES + 1))
    expect(large).toMatchObject({
      status: 413,
      body: { error: { message: expect.stringContaining('4194304') } },
    })
    const many = '\n{}'.repeat(10_001)
    expect(await post(server, many, { 'content-type': 'application/x-ndjson' })).toMatchObject({
      status: 413,
    })
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      '',
    ]) {
      expect(await post(server, [EVENT], { 'content-type': type }), type).toMatchObject({ status: 415 })
    }
    expect(await post(server, [EVENT], { 'content-encoding': 'gzip' })).toMatchObject({ status: 415 })
    expect(linesOf(place)).toHaveLength(before)
  })

  test('is for holders of the token only, and for no page of another origin', async ({
    taking: { place, server },
  }) => {
    const before = linesOf(place).length
    expect((await post(server, [EVENT], { authorization: '' })).status).toBe(401)
    expect((await post(server, [EVENT], { authorization: `Bearer ${TOKEN}x` })).status).toBe(401)
    expect((await post(server, [EVENT], { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await post(server, [EVENT], { host: 'evil.example' })).status).toBe(421)
    // What a browser asks before it sends JSON for a page of another origin.
    const preflight = { 'access-control-request-method': 'POST', origin: 'http://evil.example' }
    const headers = { authorization: `Bearer ${TOKEN}`, ...preflight }
    expect((await server.get('/v1/events', { method: 'OPTIONS', headers })).status).toBe(405)
    expect(linesOf(place)).toHaveLength(before)
  })

  test('takes requests with an ingest token, which reads nothing and sets no price', async ({
    place,
    serve,
  }) => {
    const [old, next] = ['an-older-ingest-token', 'a-newer-ingest-token'] as const
    const server = await serve({ ingest: true, token: TOKEN, ingestToken: [old, next] })
    const as = (token: string) => ({ authorization: `Bearer ${token}` })
    const end = { type: 'stream_completed', correlation_id: 'a', success: true, stream_duration_ms: 3 }
    const costs = { input_tokens: 1, output_tokens: 2, cost_sats: null, provider_cost_sats: null }
    const outcome = { ...costs, error_status: null, error_message: null }
    const request = { ...EVENT, correlation_id: 'a', streaming: true }
    expect(await post(server, [request, { ...end, ...outcome }], as(old))).toMatchObject({ status: 200 })
    expect(await post(server, [EVENT], as(next))).toMatchObject({ status: 200 })
    expect(linesOf(place)).toHaveLength(3)
    const price = { type: 'price_set', model: 'm', valid_from: '2026-01-01T00:00:00Z', currency: 'usd' }
    const rate = { type: 'exchange_rate_observed', observed_at: '2026-01-01T00:00:00Z', usd_per_btc: '1' }
    for (const event of [{ ...price, per_request: '1' }, rate]) {
      expect(await post(server, [EVENT, event], as(next))).toMatchObject({
        ...{ status: 400, body: { appended: 0 } },
        ...{ body: { errors: [{ index: 1, message: expect.stringContaining('which this token may not') }] } },
      })
      expect(await post(server, event)).toMatchObject({ status: 200 })
    }
    expect(linesOf(place)).toHaveLength(5)
    for (const path of ['/', '/v1/stats', '/v1/events', '/metrics', '/v1/nothing']) {
      expect(await server.get(path, { headers: as(old) })).toMatchObject({ status: 403 })
    }
    for (const path of ['/v1/events/', '/v1/event', '/events?a=b', '/V1/Events']) {
      for (const token of [old, TOKEN]) {
        const answer = await post(server, [EVENT], as(token), path)
        expect(answer, path).toMatchObject({ status: 404 })
        expect(answer.body.error.message).toContain('did you mean /v1/events?')
      }
      expect((await post(server, [EVENT], as(`${old}x`), path)).status).toBe(401)
    }
    expect((await post(server, [EVENT], as(`${old}x`))).status).toBe(401)
  })

  test('needs an ingest token where reading needs none', async ({ serve, place }) => {
    const server = await serve({ ingest: true, ingestToken: 'only-for-appending' })
    expect((await server.get('/v1/first-steps')).status).toBe(200)
    expect((await post(server, [EVENT], { authorization: '' })).status).toBe(401)
    expect(linesOf(place)).toEqual([])
    await expect(serve({ ingest: true, ingestToken: TOKEN, token: TOKEN })).rejects.toMatchObject({
      code: 'TOKEN_INVALID',
    })
    await expect(serve({ ingestToken: TOKEN })).rejects.toThrow('ingestToken')
    await expect(serve({ ingest: true, ingestToken: TOKEN, host: '0.0.0.0' })).rejects.toMatchObject({
      code: 'TOKEN_REQUIRED',
    })
  })

  test('is there only with `ingest`, which needs a token; no other path takes a POST', async ({ serve }) => {
    const reading = await serve({ token: TOKEN })
    expect(await post(reading, [EVENT])).toMatchObject({
      status: 405,
      body: { error: { message: expect.stringContaining('--ingest') } },
    })
    await expect(serve({ ingest: true })).rejects.toMatchObject({ code: 'TOKEN_REQUIRED' })
    const server = await serve({ ingest: true, token: TOKEN })
    expect((await post(server, [EVENT], {}, '/v1/stats')).status).toBe(405)
    const headers = { authorization: `Bearer ${TOKEN}` }
    expect(await server.get('/v1/events?x', { headers })).toMatchObject({
      status: 405,
      headers: { allow: 'POST' },
    })
    const { body } = await server.get('/openapi.json', { headers: { authorization: `Bearer ${TOKEN}` } })
    expect(Object.keys(body.paths['/v1/events'].post.requestBody.content)).toContain('application/x-ndjson')
  })

  test('answers 503 with Retry-After while the disk refuses, 500 if a sync has failed, and warns of it once', async ({
    place,
  }) => {
    const faulty = new FaultyFileSystem()
    const { journal } = opened({ directory: place.journal }, { faulty })
    const app = await createApp({
      checkHost: hostCheck('127.0.0.1', []),
      ...{ tokenCheck: null, takesEvents: true, maxRequestMs: 10_000, logger: silentLogger },
    })
    onTestFinished(() => app.close())
    const warnings: unknown[] = []
    const warn = (...warning: unknown[]) => void warnings.push(warning)
    addEventsRoute(app, new Ingest(journal, place.journal, { ...silentLogger, warn }))
    const ask = (key = 'k') =>
      app.inject({
        ...{ method: 'POST', url: '/v1/events', payload: [EVENT, EVENT] },
        headers: { host: 'localhost', 'idempotency-key': key },
      })
    faulty.add({ call: 'writeSync', effect: { error: 'ENOSPC' }, skip: 1 })
    const full = await ask()
    expect([full.statusCode, full.headers['retry-after']]).toEqual([503, '1'])
    expect(full.json()).toMatchObject({ appended: 1, error: { message: expect.stringContaining('ENOSPC') } })
    faulty.add({ call: 'fdatasync', effect: { error: 'EIO' } })
    const doubtful = await ask()
    expect(doubtful.statusCode).toBe(500)
    expect(doubtful.json()).toMatchObject({
      ...{ appended: 2, error: { message: expect.stringContaining("don't send them again") } },
    })
    expect(linesOf(place)).toHaveLength(2)
    const refused = [{ err: expect.any(Error) }, expect.stringMatching(/^The journal refuses posted events/)]
    expect(warnings).toEqual([refused])
    expect((await ask('another')).statusCode).toBe(200)
    expect(warnings).toEqual([refused, [{ refused: 2 }, 'The journal takes posted events again']])
  })
})

test('serve --ingest without a token is wrong use', async ({ place }) => {
  const { journal, database } = place
  const ended = await runHere(['serve', '--journal', journal, '--db', database, '--ingest'])
  expect(ended).toMatchObject({ status: 2, stderr: expect.stringContaining('needs a token') })
})

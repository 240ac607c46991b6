import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { log, makePlace, requestLog, serve, type TestServer } from '../support.js'

const place = makePlace()
let server: TestServer

const WINDOW = 'since=2026-11-20T00:00:00Z&until=2026-11-20T23:59:59.999Z'
const at = (time: string) => `2026-11-20T${time}.000Z`
const STREAM = '2f0d8f0a-5df2-4d3c-9b0a-0a3f6c1a0001'

beforeAll(async () => {
  await log(place, [
    requestLog({
      correlation_id: STREAM,
      timestamp: at('10:00:00'),
      provider: 'east',
      streaming: true,
      policy: 'chat',
      latency_ms: 300,
      labels: { team: 'a', tier: 'local' },
    }),
    {
      type: 'stream_completed',
      correlation_id: STREAM,
      timestamp: at('10:00:09'),
      input_tokens: 812,
      output_tokens: 1640,
      cost_sats: 57.3,
      provider_cost_sats: 40.1,
      stream_duration_ms: 9200,
      success: true,
      error_status: null,
      error_message: null,
    },
    requestLog({
      timestamp: at('10:00:01'),
      provider: null,
      success: false,
      error_status: 503,
      latency_ms: 300,
    }),
    requestLog({
      timestamp: at('10:00:02'),
      model: 'claude',
      cost_sats: 2,
      error_message: 'slow',
      latency_ms: 100,
    }),
    requestLog({
      timestamp: at('10:00:02'),
      model: 'claude',
      cost_sats: -1,
      latency_ms: 200,
      labels: { team: 'b' },
    }),
  ])
  server = await serve(place)
})

afterAll(async () => {
  await server.close()
  rmSync(place.directory, { recursive: true, force: true })
})

async function ask(query: string) {
  const { status, body } = await server.get(`/v1/requests?${WINDOW}&${query}`)
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}

const ids = (body: { data: { id: number }[] }) => body.data.map(({ id }) => id)

test('the body: data, page, per_page, total, total_pages, since, until', async () => {
  const body = await ask('')
  expect(body).toEqual({
    data: expect.any(Array),
    page: 1,
    per_page: 20,
    total: 4,
    total_pages: 1,
    since: at('00:00:00'),
    until: '2026-11-20T23:59:59.999Z',
  })
})

test('entry: provider and stream_duration_ms are left out when null; tokens and cost are there, null when unknown; booleans are booleans', async () => {
  const { data } = await ask('order=asc')
  expect(data).toEqual([
    {
      id: 1,
      timestamp: at('10:00:00'),
      model: 'gpt-4o',
      provider: 'east',
      streaming: true,
      success: true,
      tokens: { input: 812, output: 1640 },
      cost: { sats: 57.3 },
      timing: { latency_ms: 300, stream_duration_ms: 9200 },
    },
    {
      id: 2,
      timestamp: at('10:00:01'),
      model: 'gpt-4o',
      streaming: false,
      success: false,
      tokens: { input: null, output: null },
      cost: { sats: null },
      timing: { latency_ms: 300 },
      error: { status: 503, message: null },
    },
    {
      id: 3,
      timestamp: at('10:00:02'),
      model: 'claude',
      streaming: false,
      success: true,
      tokens: { input: null, output: null },
      cost: { sats: 2 },
      timing: { latency_ms: 100 },
      error: { status: null, message: 'slow' },
    },
    {
      id: 4,
      timestamp: at('10:00:02'),
      model: 'claude',
      streaming: false,
      success: true,
      tokens: { input: null, output: null },
      cost: { sats: -1 },
      timing: { latency_ms: 200 },
    },
  ])
})

test('beyond: details=true adds the cost in dollars, correlation_id, attempt, policy, labels and state to each entry', async () => {
  const { data } = await ask('order=asc')
  const detailed = await ask('order=asc&details=true')
  expect(detailed.data[0]).toEqual({
    ...data[0],
    cost: { ...data[0].cost, usd: null },
    correlation_id: STREAM,
    attempt: null,
    policy: 'chat',
    labels: { team: 'a', tier: 'local' },
    state: 'finished',
  })
  expect(detailed.data[1]).toMatchObject({ policy: null, labels: null, state: 'finished' })
  expect((await ask('order=asc&details=true&cursor=start')).data).toEqual(detailed.data)
})

test('`error` is there when status or message is set, whatever `success` says', async () => {
  const { data } = await ask('order=asc')
  expect(data.map((entry: object) => 'error' in entry)).toEqual([false, true, true, false])
})

describe('parameters', () => {
  test.each([
    ['model=CLAUDE', [4, 3]],
    ['provider=EAST', [1]],
    ['success=true', [4, 3, 1]],
    ['success=false', [2]],
    ['streaming=true', [1]],
    ['streaming=false', [4, 3, 2]],
    ['model=gpt-4o&streaming=false', [2]],
    ['model=claude&provider=east', []],
    ['success=true&streaming=true&model=gpt-4o&provider=east', [1]],
    ['label:team=b', [4]],
    ['label:team=a&label:tier=local', [1]],
    ['label:team=a&label:tier=frontier', []],
    ['label%3Ateam=a', [1]],
    ['label:no-such=x', []],
    [`correlation_id=${STREAM}`, [1]],
    ['correlation_id=x', []],
    ['policy=chat', [1]],
  ])('the window, model, provider, success, streaming, …; joined with AND: %s', async (query, expected) => {
    const body = await ask(query)
    expect(ids(body)).toEqual(expected)
    expect(body.total).toBe(expected.length)
  })

  test.each(['', '1', '0', 'TRUE', 'True', 'yes', 'null', ' true'])(
    'success, streaming: exactly true or false, otherwise 400: "%s"',
    async (value) => {
      for (const name of ['success', 'streaming']) {
        const { status, body } = await server.get(`/v1/requests?${name}=${encodeURIComponent(value)}`)
        expect(status).toBe(400)
        expect(body.error.message).toMatch(/^Invalid request: /)
      }
    },
  )

  test.each([
    ['page=0', 1, 20],
    ['page=1', 1, 20],
    ['page=4294967295', 4294967295, 20],
    ['page=007', 7, 20],
    ['per_page=0', 1, 1],
    ['per_page=100', 1, 100],
    ['per_page=101', 1, 100],
    ['per_page=4294967295', 1, 100],
  ])('page: 0 is 1; per_page: cut to 1..100, as used: %s', async (query, page, per_page) => {
    expect(await ask(query)).toMatchObject({ page, per_page })
  })

  test.each([
    '',
    '-1',
    '1.5',
    '1e3',
    '4294967296',
    '99999999999999999999',
    'x',
    '%201',
    '%2B1',
    '0x1',
    'null',
    '%E0%A5%A7',
  ])('page, per_page: unsigned 32-bit integer, otherwise 400: "%s"', async (value) => {
    for (const name of ['page', 'per_page']) {
      const { status, body } = await server.get(`/v1/requests?${name}=${value}`)
      expect(status).toBe(400)
      expect(body.error.message).toMatch(/^Invalid request: /)
    }
  })

  test.each([
    ['', [4, 3, 2, 1]],
    ['sort=timestamp', [4, 3, 2, 1]],
    ['order=asc', [1, 2, 3, 4]],
    ['order=ASC', [1, 2, 3, 4]],
    ['order=DeSc', [4, 3, 2, 1]],
    // Null costs sort as smallest.
    ['sort=cost_sats', [1, 3, 4, 2]],
    ['sort=cost_sats&order=asc', [2, 4, 3, 1]],
    // Ties are broken by id in the same direction.
    ['sort=latency_ms', [2, 1, 4, 3]],
    ['sort=latency_ms&order=asc', [3, 4, 1, 2]],
  ])('sort, order, ties and null costs: %s', async (query, expected) => {
    expect(ids(await ask(query))).toEqual(expected)
  })

  test.each(['', 'id', 'Timestamp', 'cost', '__proto__', "x'y"])(
    "`Invalid sort field 'X'. Valid options: timestamp, cost_sats, latency_ms`: %s",
    async (value) => {
      const { status, body } = await server.get(`/v1/requests?sort=${encodeURIComponent(value)}`)
      expect(status).toBe(400)
      expect(body.error.message).toBe(
        `Invalid request: Invalid sort field '${value}'. Valid options: timestamp, cost_sats, latency_ms`,
      )
    },
  )

  test.each(['', 'up', 'ascending', 'ÄSC'])(
    "`Invalid sort order 'X'. Valid options: asc, desc`: %s",
    async (value) => {
      const { status, body } = await server.get(`/v1/requests?order=${encodeURIComponent(value)}`)
      expect(status).toBe(400)
      expect(body.error.message).toBe(
        `Invalid request: Invalid sort order '${value}'. Valid options: asc, desc`,
      )
    },
  )
})

test('pages: per_page as used, total_pages, and each row once', async () => {
  const seen: number[] = []
  for (const page of [1, 2]) {
    const body = await ask(`per_page=3&page=${page}`)
    expect(body).toMatchObject({ page, per_page: 3, total: 4, total_pages: 2 })
    seen.push(...ids(body))
  }
  expect(seen).toEqual([4, 3, 2, 1])
})

test('a page past the end, however far, is 200 with `data: []`', async () => {
  for (const page of [2, 4294967295]) {
    expect(await ask(`page=${page}`)).toMatchObject({ data: [], page, total: 4, total_pages: 1 })
  }
})

test('total_pages is 0 when total is 0', async () => {
  expect(await ask('correlation_id=none')).toMatchObject({ data: [], total: 0, total_pages: 0, page: 1 })
})

test('beyond: cursor= pages by key, without total, total_pages and page', async () => {
  for (const sort of ['timestamp', 'cost_sats', 'latency_ms']) {
    const whole = ids(await ask(`sort=${sort}`))
    const seen: number[] = []
    for (let cursor: string | undefined = 'start'; cursor !== undefined; ) {
      const body: { data: { id: number }[]; next_cursor?: string } = await ask(
        `sort=${sort}&per_page=1&cursor=${encodeURIComponent(cursor)}`,
      )
      for (const name of ['total', 'total_pages', 'page']) expect(body).not.toHaveProperty(name)
      seen.push(...ids(body))
      cursor = body.next_cursor
    }
    expect(seen).toEqual(whole)
  }
  const { status } = await server.get('/v1/requests?cursor=garbage')
  expect(status).toBe(400)
})

describe('beyond: GET /v1/requests/:id', () => {
  test('the whole row: correlation_id, policy, provider_cost_sats, labels, place, and the journal line itself', async () => {
    const { status, body } = await server.get('/v1/requests/1')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      id: 1,
      correlation_id: STREAM,
      policy: 'chat',
      provider_cost_sats: 40.1,
      labels: { team: 'a', tier: 'local' },
      tokens: { input: 812, output: 1640 },
      place: { segment: expect.stringMatching(/\.ndjson$/), byte_offset: 0 },
    })
    expect(JSON.parse(body.line.text)).toMatchObject({ type: 'request_logged', correlation_id: STREAM })
    expect(JSON.parse(body.completed_line.text)).toMatchObject({ type: 'stream_completed' })
  })

  test.each([
    '0',
    '5',
    '99999999999999999999',
    '9'.repeat(500),
    '-1',
    '1.0',
    'x',
    '01',
    '1%20',
    '%00',
    '__proto__',
    "1'",
  ])("an id that isn't one is 404: %s", async (id) => {
    const { status, body } = await server.get(`/v1/requests/${id}`)
    expect(status).toBe(404)
    expect(body.error).toMatchObject({ type: 'arbstr_error', code: 404 })
    expect(body.error.message).toMatch(/^Not found: /)
  })
})

import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { log, makePlace, requestLog, serve, type TestServer } from '../support.js'

const place = makePlace()
let server: TestServer

const HOUR_MS = 3_600_000
const hoursAgo = (hours: number) => new Date(Date.now() - hours * HOUR_MS).toISOString()

/** Requests at these ages, in hours: one for each preset window, and one that is older than all. */
const AGES = [0.5, 5, 72, 480, 2000]
/** The ages of those that are streams whose end never came. */
const STREAMS = [0.5, 72]

beforeAll(async () => {
  const events = [
    ...AGES.map((age) =>
      requestLog({ timestamp: hoursAgo(age), provider: 'East', streaming: STREAMS.includes(age) }),
    ),
    requestLog({ timestamp: hoursAgo(0.1), model: 'no-provider', provider: null }),
    requestLog({ timestamp: hoursAgo(3000), model: 'quiet', provider: 'Gone' }),
  ]
  await log(place, events)
  server = await serve(place)
})

afterAll(async () => {
  await server.close()
  rmSync(place.directory, { recursive: true, force: true })
})

const encode = encodeURIComponent
const ROUTES = ['/v1/stats', '/v1/requests']

/** How many requests an answer of either route is about. */
async function count(route: string, query: string): Promise<number> {
  const { status, body } = await server.get(`${route}?${query}`)
  expect(status, JSON.stringify(body)).toBe(200)
  return route === '/v1/stats' ? body.counts.total : body.total
}

async function expectError(path: string, status: number, message: string | RegExp): Promise<void> {
  const answer = await server.get(path)
  expect(answer.body).toEqual({
    error: {
      message: typeof message === 'string' ? message : expect.stringMatching(message),
      type: 'arbstr_error',
      code: status,
    },
  })
  expect(answer.status).toBe(status)
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
}

describe.each(ROUTES)('%s', (route) => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'])(
    'GET and HEAD only; other methods 405: %s',
    async (method) => {
      const answer = await server.get(route, { method })
      expect(answer.status).toBe(405)
      expect(answer.headers['allow']).toBe('GET, HEAD')
      expect(answer.body.error).toMatchObject({ type: 'arbstr_error', code: 405 })
    },
  )

  test('GET and HEAD only: HEAD has the status and headers of GET, and no body', async () => {
    for (const [query, status] of [
      ['', 200],
      ['?range=x', 400],
      ['?model=x', 404],
    ] as const) {
      const answer = await server.get(route + query, { method: 'HEAD' })
      expect(answer).toMatchObject({ status, text: '' })
      const got = await server.get(route + query)
      expect(answer.headers['content-type']).toBe(got.headers['content-type'])
      expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(got.text)))
    }
  })

  test('unknown parameter: ignored', async () => {
    expect(await count(route, 'colour=red&_=1&range=last_1h&sessions=&Model=x')).toBe(2)
    expect(await count(route, 'colour=red&colour=blue&range=last_1h')).toBe(2)
  })

  test('unknown parameter: named in warnings, with the nearest known one, beside the same answer', async () => {
    const window = 'since=2026-11-01T00:00:00Z&until=2026-11-30T00:00:00Z'
    const { body, text } = await server.get(`${route}?${window}&modle=x&Min-Latency=5&labels:team=y&_=1`)
    const { warnings, ...rest } = body
    expect(warnings).toEqual([
      "The parameter 'modle' isn't known and was ignored. Did you mean 'model'?",
      "The parameter 'Min-Latency' isn't known and was ignored. Did you mean 'min_latency'?",
      "The parameter 'labels:team' isn't known and was ignored. Did you mean 'label:<name>'?",
      "The parameter '_' isn't known and was ignored. /openapi.json lists the known ones",
    ])
    const known = await server.get(`${route}?${window}`)
    expect(JSON.stringify(rest)).toBe(known.text)
    expect(text.endsWith(known.text.slice(1))).toBe(true)
  })

  test.each(['model', 'range', 'since', 'until', 'provider', 'label:tier', 'policy'])(
    'parameter given twice: 400: %s',
    async (name) => {
      const message = `Invalid request: '${name}' was given more than once`
      await expectError(`${route}?${name}=x&${name}=x`, 400, message)
      // The same name in other characters.
      await expectError(
        `${route}?${name}=x&%${name.charCodeAt(0).toString(16)}${name.slice(1)}=y`,
        400,
        message,
      )
    },
  )

  test.each([
    ['model', "Not found: Model '' not found", 404],
    ['provider', "Not found: Provider '' not found", 404],
    ['range', "Invalid request: Invalid range ''. Supported: last_1h, last_24h, last_7d, last_30d", 400],
    ['since', /^Invalid request: Invalid 'since' timestamp: /, 400],
    ['until', /^Invalid request: Invalid 'until' timestamp: /, 400],
    ['success', /^Invalid request: Invalid 'success' value ''/, 400],
    ['streaming', /^Invalid request: Invalid 'streaming' value ''/, 400],
    ['policy', /^Invalid request: Invalid 'policy' value ''/, 400],
    ['correlation_id', /^Invalid request: Invalid 'correlation_id' value ''/, 400],
    ['label:tier', /^Invalid request: Invalid 'label:tier' value ''/, 400],
  ])(
    'present but empty is a value, not "absent": 404 for model and provider, 400 for all others: %s',
    async (name, message, status) => {
      await expectError(`${route}?${name}=`, status, message)
      await expectError(`${route}?${name}`, status, message)
    },
  )

  test('beyond: before= is an exclusive end instead of until', async () => {
    const [newest] = AGES
    const { body } = await server.get(`/v1/requests?model=${encode('no-provider')}`)
    const { timestamp } = body.data[0]
    expect(await count(route, `before=${timestamp}&range=last_1h`)).toBe(newest === undefined ? 0 : 1)
    expect(await count(route, `until=${timestamp}&range=last_1h`)).toBe(2)
    await expectError(
      `${route}?until=${timestamp}&before=${timestamp}`,
      400,
      "Invalid request: Invalid window: 'until' and 'before' were both given, expected one of them: leave out the other",
    )
  })

  test('beyond: without_provider=true and without_policy=true are the rows that a group `unknown` counts', async () => {
    expect(await count(route, 'without_provider=true')).toBe(1)
    expect(await count(route, 'without_provider=true&range=last_1h&model=no-provider')).toBe(1)
    expect(await count(route, 'without_provider=false&provider=east')).toBe(3)
    expect(await count(route, 'without_policy=true&provider=east')).toBe(3)
    const expected = /^Invalid request: Invalid filter: provider 'east' together with without_provider, /
    await expectError(`${route}?provider=east&without_provider=true`, 400, expected)
    await expectError(
      `${route}?policy=x&without_policy=true`,
      400,
      /: policy 'x' together with without_policy, /,
    )
    await expectError(
      `${route}?without_provider=`,
      400,
      /^Invalid request: Invalid 'without_provider' value ''/,
    )
  })

  test('beyond: open= and unfinished= tell streams whose end is not known by their age', async () => {
    expect(await count(route, 'open=true')).toBe(1)
    expect(await count(route, 'unfinished=true')).toBe(1)
    expect(await count(route, 'open=false&unfinished=false')).toBe(2)
  })

  test.each(['%', '%zz', 'model=%ff', '%e0%a4=1', 'a=b&c=%u0041'])(
    "error body, always JSON, also for a query that can't be parsed: %s",
    async (query) => {
      await expectError(`${route}?${query}`, 400, /^Invalid request: the query string can't be parsed: /)
    },
  )

  test("`Invalid range 'X'. Supported: last_1h, last_24h, last_7d, last_30d`; presets are lower case only", async () => {
    for (const range of ['LAST_1H', 'last_1H', 'last_2h', '1h', "x'<y>", 'toString', '__proto__']) {
      const message = `Invalid request: Invalid range '${range}'. Supported: last_1h, last_24h, last_7d, last_30d`
      await expectError(`${route}?range=${encode(range)}`, 400, message)
    }
  })

  test("`Model 'X' not found`, `Provider 'X' not found`", async () => {
    await expectError(`${route}?model=nope`, 404, "Not found: Model 'nope' not found")
    await expectError(`${route}?provider=nope`, 404, "Not found: Provider 'nope' not found")
    await expectError(`${route}?model=%25`, 404, "Not found: Model '%' not found")
    await expectError(`${route}?model=gpt-4_`, 404, "Not found: Model 'gpt-4_' not found")
  })

  const last = route === '/v1/stats' ? ['group_by'] : ['sort', 'order']
  const wrong: [name: string, part: string, message: RegExp][] = [
    ['query string', '%zz', /can't be parsed/],
    ['since', 'since=x', /'since' timestamp/],
    ['range', 'range=x', /Invalid range/],
    ['until', 'until=x', /'until' timestamp/],
    ['model', 'model=x', /Model 'x' not found/],
    ['provider', 'provider=x', /Provider 'x' not found/],
    ...last.map((name) => [name, `${name}=x`, /Invalid (group_by value|sort)/] as [string, string, RegExp]),
  ]
  test.each(wrong.slice(0, -1).map((row, index) => [...row, index] as const))(
    'order of checks: query string, since, range, until, model, provider, then group_by or sort, order: %s first',
    async (_name, _part, message, index) => {
      const parts = wrong.slice(index).map(([, part]) => part)
      for (const query of [parts.join('&'), parts.toReversed().join('&')]) {
        const { body } = await server.get(`${route}?${query}`)
        expect(body.error.message).toMatch(message)
      }
    },
  )

  test("order of checks: a value that isn't a boolean or number is the query string's", async () => {
    await expectError(`${route}?since=x&streaming=maybe`, 400, /'streaming' value 'maybe'/)
  })

  describe('window', () => {
    test.each([
      ['last_1h', 2],
      ['last_24h', 3],
      ['last_7d', 4],
      ['last_30d', 5],
    ])('start = `range` before now: %s', async (range, expected) => {
      expect(await count(route, `range=${range}`)).toBe(expected)
    })

    test('start = `since`, else `range` before now, else 7 days before now; end = `until`, else now', async () => {
      const before = Date.now()
      const { body } = await server.get(route)
      expect(Date.parse(body.until)).toBeGreaterThanOrEqual(before)
      expect(Date.parse(body.until)).toBeLessThanOrEqual(Date.now())
      expect(Date.parse(body.until) - Date.parse(body.since)).toBe(7 * 24 * HOUR_MS)
      expect(await count(route, `since=${hoursAgo(2500)}&range=last_1h`)).toBe(6)
      expect(await count(route, `range=last_24h&until=${hoursAgo(1)}`)).toBe(1)
      expect(await count(route, `since=${hoursAgo(100)}&until=${hoursAgo(1)}`)).toBe(2)
    })

    test('start after end: 200, empty', async () => {
      expect(await count(route, `since=${hoursAgo(1)}&until=${hoursAgo(100)}`)).toBe(0)
      expect(await count(route, `until=${hoursAgo(1000)}`)).toBe(0)
    })

    test.each([
      ['2026-11-22T19:43:00Z', '2026-11-22T19:43:00.000Z'],
      ['2026-11-22t19:43:00z', '2026-11-22T19:43:00.000Z'],
      ['2026-11-22 19:43:00Z', '2026-11-22T19:43:00.000Z'],
      ['2026-11-22T21:43:00+02:00', '2026-11-22T19:43:00.000Z'],
      ['2026-11-22T14:13:00.5-05:30', '2026-11-22T19:43:00.500Z'],
      ['2026-11-22T19:43:00-00:00', '2026-11-22T19:43:00.000Z'],
      ['2026-11-22T19:43:00.123000000Z', '2026-11-22T19:43:00.123Z'],
      ['2026-11-22T19:43:00.1234Z', '2026-11-22T19:43:00.1234Z'],
      ['2026-11-22T19:43:00.123456789012Z', '2026-11-22T19:43:00.123456789012Z'],
      ['2028-02-29T00:00:00Z', '2028-02-29T00:00:00.000Z'],
      ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
      ['9999-12-31T23:59:59.9999Z', '9999-12-31T23:59:59.9999Z'],
    ])(
      'any offset; `Z` or `z`; `T`, `t` or a space; any number of fraction digits; echoed as the same instants in UTC: %s',
      async (text, echo) => {
        for (const name of ['since', 'until']) {
          const { status, body } = await server.get(`${route}?${name}=${encode(text)}`)
          expect(status).toBe(200)
          expect(body[name]).toBe(echo)
        }
      },
    )

    test.each([
      '2026-11-22',
      '2026-11-22T19:43:00',
      '2026-11-22T19:43Z',
      '2026-11-31T19:43:00Z',
      '2026-02-29T19:43:00Z',
      '2026-13-01T19:43:00Z',
      '2026-11-22T24:00:00Z',
      '2026-11-22T19:60:00Z',
      '2026-11-22T19:43:00+2:00',
      '2026-11-22T19:43:00 02:00',
      '2026-11-22T19:43:00.Z',
      '1795376580',
      'now',
      ' 2026-11-22T19:43:00Z',
    ])('strict RFC 3339: no date alone, no missing offset, no impossible day: %s', async (text) => {
      for (const name of ['since', 'until']) {
        const message = new RegExp(`^Invalid request: Invalid '${name}' timestamp: `)
        await expectError(`${route}?${name}=${encode(text)}`, 400, message)
      }
    })
  })

  describe('model, provider', () => {
    test('whole value, ASCII case-insensitive, no wildcards', async () => {
      expect(await count(route, 'range=last_1h&model=GPT-4O')).toBe(1)
      expect(await count(route, 'range=last_1h&provider=eASt')).toBe(1)
      await expectError(`${route}?model=gpt`, 404, /not found/)
      await expectError(`${route}?model=*`, 404, /not found/)
      await expectError(`${route}?provider=%25ast`, 404, /not found/)
    })

    test('known means that some row has it, at any time; known but quiet in the window: 200', async () => {
      expect(await count(route, 'model=quiet')).toBe(0)
      expect(await count(route, 'provider=gone')).toBe(0)
    })

    test('rows without a provider never match a provider filter', async () => {
      expect(await count(route, 'range=last_1h&model=no-provider')).toBe(1)
      expect(await count(route, 'range=last_1h&model=no-provider&provider=east')).toBe(0)
      await expectError(`${route}?provider=null`, 404, /Provider 'null' not found/)
    })
  })
})

test('both ends are inclusive and compared as instants', async () => {
  const timestamp = '2026-03-01T12:00:00.123Z'
  await log(place, [requestLog({ model: 'instant', timestamp })])
  for (const [since, until, expected] of [
    [timestamp, timestamp, 1],
    ['2026-03-01T13:00:00.123+01:00', '2026-03-01T11:00:00.123-01:00', 1],
    ['2026-03-01T12:00:00.1230000Z', '2026-03-01T12:00:00.123999Z', 1],
    // A tenth of a millisecond after it, and before it.
    ['2026-03-01T12:00:00.1231Z', '2026-03-01T12:00:01Z', 0],
    ['2026-03-01T12:00:00Z', '2026-03-01T12:00:00.1229Z', 0],
  ] as const) {
    const query = `model=instant&since=${encode(since)}&until=${encode(until)}`
    for (const route of ROUTES) expect(await count(route, query), `${since} ${until}`).toBe(expected)
  }
})

test('an answer is of a moment after the question: a row that was committed before is there', async () => {
  for (let i = 0; i < 5; i++) {
    const model = `just-now-${i}`
    await log(place, [requestLog({ model })])
    for (const route of ROUTES) expect(await count(route, `model=${model}`)).toBe(1)
  }
})

test("500 messages begin `Internal error: ` (never the driver's text)", async () => {
  const broken = makePlace()
  await log(broken, [requestLog()])
  const { default: SQLite } = await import('better-sqlite3')
  const database = new SQLite(broken.database)
  database.exec('DROP TABLE rollup_totals; ALTER TABLE requests RENAME COLUMN model TO modell')
  database.close()
  const failing = await serve(broken)
  try {
    for (const route of ROUTES) {
      const { status, body } = await failing.get(`${route}?range=last_1h`)
      expect(status).toBe(500)
      expect(body.error).toEqual({
        message: expect.stringMatching(/^Internal error: /),
        type: 'arbstr_error',
        code: 500,
      })
      expect(body.error.message).not.toMatch(/sql|column|table/i)
    }
  } finally {
    await failing.close()
    rmSync(broken.directory, { recursive: true })
  }
})

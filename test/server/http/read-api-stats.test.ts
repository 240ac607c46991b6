import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { log, makePlace, requestLog, serve, type TestServer } from '../support.js'

const place = makePlace()
const empty = makePlace()
let server: TestServer
let emptyServer: TestServer

interface Counted {
  counts: { total: number }
}

const DAY = '2026-11-20'
const WINDOW = `since=${DAY}T00:00:00Z&until=${DAY}T23:59:59.999Z`
const at = (time: string) => `${DAY}T${time}Z`

beforeAll(async () => {
  await log(place, [
    requestLog({
      timestamp: at('10:00:00'),
      model: 'GPT-4o',
      provider: 'east',
      policy: 'cheap',
      labels: { tier: 'local', team: 'a' },
      input_tokens: 100,
      output_tokens: 50,
      cost_sats: 1.5,
      latency_ms: 100,
    }),
    requestLog({
      timestamp: at('10:30:00'),
      model: 'gpt-4o',
      provider: 'east',
      labels: { tier: 'gold', team: 'b' },
      streaming: true,
      input_tokens: 10,
      output_tokens: null,
      cost_sats: null,
      latency_ms: 201,
    }),
    requestLog({
      timestamp: at('11:00:00'),
      model: 'claude',
      provider: null,
      success: false,
      error_status: 500,
      latency_ms: 400,
    }),
    requestLog({
      timestamp: '2026-01-01T00:00:00Z',
      model: 'quiet',
      provider: 'west',
      labels: { tier: 'frontier' },
    }),
  ])
  await log(empty, [])
  server = await serve(place)
  emptyServer = await serve(empty)
})

afterAll(async () => {
  await server.close()
  await emptyServer.close()
  for (const { directory } of [place, empty]) rmSync(directory, { recursive: true, force: true })
})

async function ask(query: string, asked = server) {
  const { status, body } = await asked.get(`/v1/stats?${query}`)
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}

const ZERO = {
  counts: { total: 0, success: 0, error: 0, streaming: 0 },
  costs: { total_cost_sats: 0, total_input_tokens: 0, total_output_tokens: 0 },
  performance: { avg_latency_ms: 0 },
}
const EMPTY = { empty: true, message: 'No requests found in the specified time range' }

test('parameters: range, since, until, model, provider, group_by; the body has exactly the fields above', async () => {
  const body = await ask(WINDOW)
  expect(body).toEqual({
    since: `${DAY}T00:00:00.000Z`,
    until: `${DAY}T23:59:59.999Z`,
    counts: { total: 3, success: 2, error: 1, streaming: 1 },
    costs: { total_cost_sats: 1.5, total_input_tokens: 110, total_output_tokens: 50 },
    performance: { avg_latency_ms: 701 / 3 },
  })
  expect(Object.keys(body)).toEqual(['since', 'until', 'counts', 'costs', 'performance'])
})

test('"empty" and "message" only when nothing matched; an empty window is 200', async () => {
  const window = 'since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z'
  const body = await ask(window)
  expect(body).toEqual({ since: expect.any(String), until: expect.any(String), ...EMPTY, ...ZERO })
  expect(Object.keys(body).slice(2, 4)).toEqual(['empty', 'message'])
})

test('sums are 0, never null, for no rows or all-null columns; average latency is 0 for no rows', async () => {
  expect(await ask('', emptyServer)).toMatchObject({ ...EMPTY, ...ZERO })
  const { costs, performance } = await ask(`${WINDOW}&model=claude`)
  expect(costs).toEqual(ZERO.costs)
  expect(performance).toEqual({ avg_latency_ms: 400 })
})

test("average latency covers failures, isn't rounded", async () => {
  expect((await ask(WINDOW)).performance.avg_latency_ms).toBe(701 / 3)
})

test('"models" only with group_by=model, "tiers" only with group_by=tier', async () => {
  expect(await ask(`${WINDOW}&group_by=model`)).not.toHaveProperty('tiers')
  expect(await ask(`${WINDOW}&group_by=tier`)).not.toHaveProperty('models')
  expect(await ask(`${WINDOW}&group_by=model`)).toHaveProperty('models')
})

describe('group_by=model', () => {
  test('every model in the database, zeroed when quiet; one key for all spellings by case, so that the groups add up', async () => {
    const { models, counts } = await ask(`${WINDOW}&group_by=model`)
    expect(Object.keys(models).sort()).toEqual(['GPT-4o', 'claude', 'quiet'])
    expect(models.quiet).toEqual(ZERO)
    expect(models['GPT-4o']).toEqual({
      counts: { total: 2, success: 2, error: 0, streaming: 1 },
      costs: { total_cost_sats: 1.5, total_input_tokens: 110, total_output_tokens: 50 },
      performance: { avg_latency_ms: 150.5 },
    })
    expect(models['GPT-4o'].counts.total + models.claude.counts.total).toBe(counts.total)
  })

  test("the provider filter applies, the model filter doesn't", async () => {
    const { models, counts } = await ask(`${WINDOW}&group_by=model&provider=EAST&model=claude`)
    expect(counts.total).toBe(0)
    expect(models['GPT-4o'].counts.total).toBe(2)
    expect(models.claude).toEqual(ZERO)
    expect(models.quiet).toEqual(ZERO)
  })

  test('an empty database has no models', async () => {
    expect((await ask('group_by=model', emptyServer)).models).toEqual({})
  })
})

describe('group_by=tier', () => {
  test('the label `tier`: local, standard, frontier are always there; rows without one are under unknown', async () => {
    const { tiers, counts } = await ask(`${WINDOW}&group_by=tier`)
    expect(Object.keys(tiers).sort()).toEqual(['frontier', 'gold', 'local', 'standard', 'unknown'])
    expect(tiers.standard).toEqual(ZERO)
    expect(tiers.frontier).toEqual(ZERO)
    expect(tiers.unknown.counts).toEqual({ total: 1, success: 0, error: 1, streaming: 0 })
    const sections = Object.values(tiers) as { counts: { total: number } }[]
    expect(sections.reduce((sum, section) => sum + section.counts.total, 0)).toBe(counts.total)
  })

  test('unknown is there only when it has rows; both filters apply', async () => {
    const { tiers } = await ask(`${WINDOW}&group_by=tier&model=gpt-4O`)
    expect(Object.keys(tiers).sort()).toEqual(['frontier', 'gold', 'local', 'standard'])
    const { tiers: ofProvider } = await ask(`${WINDOW}&group_by=tier&provider=west`)
    expect(Object.keys(ofProvider).sort()).toEqual(['frontier', 'local', 'standard'])
    expect(ofProvider).toEqual({ local: ZERO, standard: ZERO, frontier: ZERO })
    expect(Object.keys((await ask('group_by=tier', emptyServer)).tiers)).toHaveLength(3)
  })
})

test.each([
  ['provider', 'providers', { east: 2, unknown: 1 }],
  ['policy', 'policies', { cheap: 1, unknown: 2 }],
  ['hour', 'hours', { [`${DAY}T10:00:00.000Z`]: 2, [`${DAY}T11:00:00.000Z`]: 1 }],
  ['day', 'days', { [DAY]: 3 }],
  ['label:team', 'labels', { a: 1, b: 1, unknown: 1 }],
  ['label:tier', 'labels', { local: 1, gold: 1, unknown: 1 }],
])('beyond: group_by=%s, with its own section', async (groupBy, section, expected) => {
  const body = await ask(`${WINDOW}&group_by=${groupBy}`)
  const groups = body[section] as Record<string, { counts: { total: number } }>
  const totals = Object.entries(groups).map(([name, { counts }]) => [name, counts.total])
  expect(Object.fromEntries(totals)).toEqual(expected)
})

test.each(['', 'colour', 'MODEL', 'label:', 'labels', '__proto__'])(
  "`Invalid group_by value. Supported: 'model', 'tier', …`: %s",
  async (value) => {
    const { status, body } = await server.get(`/v1/stats?group_by=${value}`)
    expect(status).toBe(400)
    expect(body.error.message).toMatch(
      /^Invalid request: Invalid group_by value\. Supported: 'model', 'tier', /,
    )
  },
)

test('beyond: percentiles=true adds p50, p95 and p99 to each performance section', async () => {
  const { performance, models } = await ask(`${WINDOW}&percentiles=true&group_by=model`)
  const names = ['avg_latency_ms', 'p50_latency_ms', 'p95_latency_ms', 'p99_latency_ms']
  expect(Object.keys(performance)).toEqual(names)
  expect(performance.p50_latency_ms).toBeGreaterThan(195)
  expect(performance.p50_latency_ms).toBeLessThan(207)
  expect(Object.keys(models.claude.performance)).toEqual(names)
  expect(models.quiet.performance.p50_latency_ms).toBeNull()
})

test('beyond: unpriced=true adds requests whose cost is unknown to each counts section', async () => {
  const { counts, models } = await ask(`${WINDOW}&unpriced=true&group_by=model`)
  expect(counts.unpriced).toBe(2)
  expect(models.claude.counts.unpriced).toBe(1)
  expect(models.quiet.counts.unpriced).toBe(0)
})

test('beyond: unknown=true tells what the sums leave out, in each counts section and each bucket', async () => {
  const { counts, models } = await ask(`${WINDOW}&unknown=true&group_by=model`)
  const expected = { unpriced: 2, unpriced_error: 1, unknown_input_tokens: 1, unknown_output_tokens: 2 }
  expect(counts).toMatchObject({ ...expected, open: 0, unfinished: 0 })
  expect(models.claude.counts).toMatchObject({ unpriced: 1, unpriced_error: 1 })
  const { body } = await server.get(`/v1/series?${WINDOW}&unknown=true&bucket=day`)
  expect(body).toMatchObject({
    unpriced_error: [1],
    unknown_input_tokens: [1],
    unknown_output_tokens: [2],
    open: [0],
    unfinished: [0],
  })
})

test('without them the body has exactly the fields above', async () => {
  expect(await ask(`${WINDOW}&percentiles=false&unpriced=false`)).toEqual(await ask(WINDOW))
})

test('beyond: timezone= makes days those of a zone, and is echoed; what is no zone is 400', async () => {
  const { body } = await server.get(`/v1/stats?${WINDOW}&group_by=day&timezone=Pacific/Auckland`)
  expect(body).toMatchObject({ timezone: 'Pacific/Auckland' })
  const series = await server.get(`/v1/series?${WINDOW}&bucket=day&timezone=Pacific/Auckland`)
  expect(series.body).toMatchObject({
    timezone: 'Pacific/Auckland',
    times: [`2026-11-19T11:00:00.000Z`, at('11:00:00.000')],
    requests: Object.values(body.days as Record<string, Counted>).map(({ counts }) => counts.total),
  })
  const { status, body: refused } = await server.get('/v1/requests?range=today&timezone=Berln')
  expect(status).toBe(400)
  expect(refused.error.message).toMatch(/^Invalid request: Invalid timezone 'Berln', .* Europe\/Berlin$/)
})

test.each(['today', 'yesterday', 'this_month', 'last_month'])('beyond: range=%s', async (range) => {
  const { status, body } = await server.get(`/v1/stats?range=${range}&timezone=Asia/Kolkata`)
  expect(status).toBe(200)
  // Half past six in UTC is midnight there.
  expect(body.since).toMatch(/T18:30:00\.000Z$/)
  expect('before' in body).toBe(range === 'yesterday' || range === 'last_month')
})

test('beyond: the filters of /v1/requests apply too', async () => {
  expect((await ask(`${WINDOW}&label:team=a`)).counts.total).toBe(1)
  expect((await ask(`${WINDOW}&label:team=a&label:tier=gold`)).counts.total).toBe(0)
  expect((await ask(`${WINDOW}&policy=cheap`)).counts.total).toBe(1)
  expect((await ask(`${WINDOW}&success=false`)).counts.total).toBe(1)
  expect((await ask(`${WINDOW}&streaming=true`)).counts.total).toBe(1)
})

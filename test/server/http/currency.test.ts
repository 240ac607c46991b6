import { rmSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { log, makePlace, requestLog, serve, type TestServer } from '../support.js'

const place = makePlace()
let server: TestServer

const WINDOW = 'since=2026-11-20T00:00:00Z&until=2026-11-20T23:59:59.999Z'
const NEXT_DAY = 'since=2026-11-21T00:00:00Z&until=2026-11-21T23:59:59.999Z'

beforeAll(async () => {
  const at = (hour: number, costs: object) =>
    requestLog({ timestamp: `2026-11-20T${hour}:00:00Z`, provider: 'east', ...costs })
  await log(place, [
    at(10, { model: 'a', cost_sats: 5, cost_usd: 0.25 }),
    at(11, { model: 'b', cost_usd: 0.5 }),
    at(12, { model: 'c', success: false }),
    requestLog({ timestamp: '2026-11-21T10:00:00Z', model: 'a', cost_usd: 1 }),
    requestLog({ timestamp: '2026-11-21T11:00:00Z', model: 'b', cost_usd: 2 }),
  ])
  server = await serve(place)
})

afterAll(async () => {
  await server.close()
  rmSync(place.directory, { recursive: true, force: true })
})

async function ask(path: string) {
  const { status, body } = await server.get(path)
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}

const models = ({ data }: { data: { model: string }[] }) => data.map(({ model }) => model)

test('/v1/stats has the sum and the unpriced requests of the currency asked for, and says which there are', async () => {
  const shown = { currencies: ['sats', 'usd'] }
  const dollars = await ask(`/v1/stats?${WINDOW}&currency=usd`)
  expect(dollars).toMatchObject({ currency: 'usd', ...shown })
  expect(dollars.counts).toMatchObject({ unpriced_usd: 1, unpriced_usd_error: 1 })
  expect(dollars.counts).not.toHaveProperty('unpriced')
  expect(dollars.costs).toMatchObject({ total_cost_sats: 5, total_cost_usd: 0.75 })
  const satoshis = await ask(`/v1/stats?${WINDOW}&currency=sats&group_by=model`)
  expect(satoshis).toMatchObject({ currency: 'sats', ...shown })
  expect(satoshis.models.b.counts).toMatchObject({ total: 1, unpriced: 1, unpriced_error: 0 })
  expect(satoshis.models.b.costs).not.toHaveProperty('total_cost_usd')
})

test('without a currency the fields of the contract are all there is; with unknown=true the answer says which to show', async () => {
  const plain = await ask(`/v1/stats?${WINDOW}`)
  expect(Object.keys(plain)).toEqual(['since', 'until', 'counts', 'costs', 'performance'])
  expect(await ask(`/v1/stats?${WINDOW}&unknown=true`)).toMatchObject({ currency: 'sats' })
  expect(await ask(`/v1/stats?${NEXT_DAY}&unknown=true`)).toMatchObject({
    currency: 'usd',
    currencies: ['usd'],
  })
})

test('/v1/series has costs by name in dollars beside those in satoshis', async () => {
  const plain = await ask(`/v1/series?${WINDOW}&bucket=day`)
  expect(plain.cost_sats).toEqual({ a: [5], b: [0], c: [0] })
  for (const member of ['cost_usd', 'currency', 'unpriced_usd']) expect(plain).not.toHaveProperty(member)
  const dollars = await ask(`/v1/series?${WINDOW}&bucket=day&currency=usd`)
  expect(dollars).toMatchObject({ currency: 'usd', unpriced_usd: [1], unpriced_usd_error: [1] })
  expect(dollars.cost_usd).toEqual({ b: [0.5], a: [0.25], c: [0] })
  expect(Object.keys(dollars.cost_usd)).toEqual(['b', 'a', 'c'])
})

test('/v1/requests shows, filters and sorts by costs in dollars', async () => {
  const page = await ask(`/v1/requests?${WINDOW}&currency=usd&min_cost=0.25&sort=cost_usd`)
  expect(models(page)).toEqual(['b', 'a'])
  expect(page).toMatchObject({ currency: 'usd', currencies: ['sats', 'usd'] })
  expect(page.data[0].cost).toEqual({ sats: null, usd: 0.5 })
  const plain = await ask(`/v1/requests?${WINDOW}`)
  expect(plain).not.toHaveProperty('currency')
  expect(plain.data[0].cost).toEqual({ sats: null })
})

test('min_cost without a currency is in the one that the window has costs in', async () => {
  expect(models(await ask(`/v1/requests?${WINDOW}&min_cost=0.5`))).toEqual(['a'])
  expect(models(await ask(`/v1/requests?${NEXT_DAY}&min_cost=1.5`))).toEqual(['b'])
  expect(models(await ask(`/v1/requests?${NEXT_DAY}&min_cost=1.5sats`))).toEqual([])
})

test.each(['/v1/stats', '/v1/series', '/v1/requests', '/v1/stream'])(
  '%s refuses any other currency',
  async (path) => {
    for (const currency of ['eur', 'USD', '']) {
      const { status, body } = await server.get(`${path}?currency=${currency}`)
      expect(status).toBe(400)
      expect(body.error.message).toBe(
        `Invalid request: Invalid currency '${currency}'. Valid options: sats, usd`,
      )
    }
  },
)

test('group_by=error_status and group_by=service_tier have groups for requests without one', async () => {
  const { error_statuses } = await ask(`/v1/stats?${WINDOW}&group_by=error_status`)
  expect(Object.keys(error_statuses)).toEqual(['none'])
  const { service_tiers } = await ask(`/v1/stats?${WINDOW}&group_by=service_tier`)
  expect(service_tiers.unknown.counts.total).toBe(3)
})

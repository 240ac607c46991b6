import { describe, expect, test } from 'vitest'
import type { PriceSet } from '../../../src/events/event-types.js'
import type { PlacedPrice, PlacedRate } from '../../../src/folds/costs/price.js'
import { PriceBook } from '../../../src/folds/costs/price-book.js'
import { type CostFacts, type Figures, rowCost } from '../../../src/folds/costs/row-cost.js'

const NOTHING: Figures = { sats: null, usd: null }
const NOON = '2026-11-22T12:00:00.000Z'

function price(fields: Partial<PriceSet>, byteOffset = 0): PlacedPrice {
  const event: PriceSet = {
    ...{ type: 'price_set', provider: null, model: 'm', valid_from: '2026-01-01T00:00:00.000Z' },
    ...{ currency: 'usd', per_million: null, per_request: null, service_tier: null },
    ...{ min_input_tokens: null, source: null },
    ...fields,
  }
  return { event, segmentId: 1, byteOffset }
}

function rate(observed_at: string, usd_per_btc: string, byteOffset = 900): PlacedRate {
  const event = { type: 'exchange_rate_observed', observed_at, usd_per_btc, source: null } as const
  return { event, segmentId: 1, byteOffset }
}

function request(fields: Partial<CostFacts>): CostFacts {
  return {
    ...{ timestamp: NOON, model: 'm', provider: null, success: true, input_tokens: 0, output_tokens: 0 },
    ...{ provider_cost_sats: null },
    ...fields,
  }
}

/** What a request costs in dollars by these prices. */
function usd(fields: Partial<CostFacts>, ...prices: PlacedPrice[]): number | null {
  return rowCost(request(fields), NOTHING, PriceBook.EMPTY.with(prices, [])).cost_usd
}

describe('usage times price, computed by hand', () => {
  const openai = price({
    per_million: { input: '2.50', cache_read_input: '1.25', output: '10.00', reasoning_output: '12.00' },
  })
  const anthropic = price({
    per_million: {
      ...{ input: '3', cache_read_input: '0.30', cache_creation_input: '3.75' },
      ...{ cache_creation_1h_input: '6', output: '15' },
    },
  })

  test.for<[string, number | null, Partial<CostFacts>, PlacedPrice[]]>([
    // 800 × 2.50 + 200 × 1.25 + 200 × 10 + 300 × 12, in millionths.
    [
      'cached and reasoning tokens have their own price',
      (800 * 2.5 + 200 * 1.25 + 200 * 10 + 300 * 12) / 1e6,
      { input_tokens: 1000, cache_read_input_tokens: 200, output_tokens: 500, reasoning_output_tokens: 300 },
      [openai],
    ],
    [
      'a part without a price costs what its whole costs',
      (1000 * 2.5 + 500 * 10) / 1e6,
      { input_tokens: 1000, audio_input_tokens: 900, output_tokens: 500, audio_output_tokens: 400 },
      [openai],
    ],
    // The client added them up: 100 plain, 5000 read, 700 written for five minutes and 300 for an hour.
    [
      'cache writes of five minutes and of an hour',
      (100 * 3 + 5000 * 0.3 + 700 * 3.75 + 300 * 6 + 50 * 15) / 1e6,
      {
        ...{ input_tokens: 6100, cache_read_input_tokens: 5000, cache_creation_input_tokens: 1000 },
        ...{ cache_creation_1h_input_tokens: 300, output_tokens: 50 },
      },
      [anthropic],
    ],
    [
      'a price from 200,000 input tokens on',
      (250_000 * 6 + 10 * 22.5) / 1e6,
      { input_tokens: 250_000, output_tokens: 10 },
      [anthropic, price({ min_input_tokens: 200_000, per_million: { input: '6', output: '22.50' } }, 10)],
    ],
    [
      'the usual price below 200,000 input tokens',
      (199_999 * 3) / 1e6,
      { input_tokens: 199_999 },
      [anthropic, price({ min_input_tokens: 200_000, per_million: { input: '6', output: '22.50' } }, 10)],
    ],
    [
      'flex has its own price',
      (1000 * 1.25) / 1e6,
      { input_tokens: 1000, service_tier: 'flex' },
      [openai, price({ service_tier: 'flex', per_million: { input: '1.25', output: '5' } }, 10)],
    ],
    [
      'flex without a price of its own is unpriced',
      null,
      { input_tokens: 9, service_tier: 'flex' },
      [openai],
    ],
    ['the tier default is the usual price', 2.5e-6, { input_tokens: 1, service_tier: 'default' }, [openai]],
    [
      'audio in and out',
      (100 * 0.6 + 900 * 10 + 200 * 2.4 + 300 * 20) / 1e6,
      { input_tokens: 1000, audio_input_tokens: 900, output_tokens: 500, audio_output_tokens: 300 },
      [price({ per_million: { input: '0.60', audio_input: '10', output: '2.40', audio_output: '20' } })],
    ],
    [
      'a model that only the answer names',
      (4 * 2.5) / 1e6,
      { model: 'alias', response_model: 'm', input_tokens: 4 },
      [openai],
    ],
    [
      'the model that was asked for, where the answering one has no price',
      (4 * 2.5) / 1e6,
      { response_model: 'm-2026-11-22', input_tokens: 4 },
      [openai],
    ],
    [
      'the price of its provider before that of any',
      7e-6,
      { provider: 'p', input_tokens: 1 },
      [
        openai,
        price({ provider: 'p', per_million: { input: '7' } }, 10),
        price({ per_million: { input: '1' } }, 20),
      ],
    ],
    ['tokens that nobody knows have no cost', null, { input_tokens: null, output_tokens: 3 }, [openai]],
    [
      'parts larger than their whole have no cost',
      null,
      { input_tokens: 3, cache_read_input_tokens: 4 },
      [openai],
    ],
    [
      'a failure without usage has no cost',
      null,
      { success: false, input_tokens: null, output_tokens: null },
      [price({ per_request: '0.01' })],
    ],
    [
      'a price of a request',
      0.0105,
      { input_tokens: 1000 },
      [price({ per_request: '0.01', per_million: { input: '0.5' } })],
    ],
    [
      'a price that was withdrawn',
      null,
      { input_tokens: 1 },
      [openai, price({ valid_from: '2026-06-01T00:00:00.000Z' }, 10)],
    ],
    [
      'the price of another provider isn’t withdrawn along',
      2.5e-6,
      { provider: 'p', input_tokens: 1 },
      [
        openai,
        price({ provider: 'p', per_million: { input: '9' } }, 10),
        price({ provider: 'p', valid_from: '2026-06-01T00:00:00.000Z' }, 20),
      ],
    ],
  ])('%s', ([, expected, fields, prices]) => {
    expect(usd(fields, ...prices)).toBe(expected === null ? null : Number(expected.toFixed(9)))
    expect(usd(fields, ...prices.toReversed())).toBe(expected === null ? null : Number(expected.toFixed(9)))
  })

  test('a price that changes at noon', () => {
    const prices = [
      price({ per_million: { input: '1' } }),
      price({ valid_from: NOON, per_million: { input: '2' } }, 10),
    ]
    expect(usd({ input_tokens: 1, timestamp: '2026-11-22T11:59:59.999Z' }, ...prices)).toBe(1e-6)
    expect(usd({ input_tokens: 1, timestamp: NOON }, ...prices)).toBe(2e-6)
  })

  test('a later line of the same instant corrects an earlier one', () => {
    const prices = [price({ per_million: { input: '1' } }, 10), price({ per_million: { input: '2' } }, 5)]
    expect(usd({ input_tokens: 1 }, ...prices)).toBe(1e-6)
  })

  test('halves of a billionth go to the even one', () => {
    const half = price({ per_million: { input: '0.0005' } })
    expect([1, 2, 3, 5].map((input_tokens) => usd({ input_tokens }, half))).toEqual([0, 1e-9, 2e-9, 2e-9])
  })

  test('costs beyond 2^53 billionths are exact to the nearest number', () => {
    const dear = price({ per_million: { input: '999999.999999' } })
    expect(usd({ input_tokens: 123_456_789_012 }, dear)).toBe(123_456_789_011.87654)
  })
})

describe('the other currency', () => {
  const book = PriceBook.EMPTY.with(
    [price({ per_million: { input: '2' } })],
    [rate('2026-11-22T11:00:00.000Z', '90000'), rate('2026-11-22T12:00:00.001Z', '1')],
  )

  test('follows from the exact amount by the newest rate up to the request', () => {
    // 0.02 dollars are 0.02 / 90000 bitcoins, of 10^8 satoshis.
    const cost = rowCost(request({ input_tokens: 10_000 }), NOTHING, book)
    expect(cost).toMatchObject({ cost_usd: 0.02, cost_sats: 22.222222222, cost_source: 'price_book' })
    expect(cost).toMatchObject({ cost_currency: 'usd', price: { segmentId: 1, byteOffset: 0 } })
  })

  test('of a logged figure, which stays as it was given', () => {
    const cost = rowCost(request({}), { sats: 0.12345678901234, usd: null }, book)
    expect(cost).toMatchObject({ cost_sats: 0.12345678901234, cost_usd: 0.000111111, cost_source: 'logged' })
  })

  test('is unknown without a rate of the last 24 hours', () => {
    const at = (timestamp: string) =>
      rowCost(request({ timestamp, input_tokens: 1 }), NOTHING, book).cost_sats
    expect(at('2026-11-22T10:59:59.999Z')).toBeNull()
    expect(at('2026-11-23T12:00:00.001Z')).toBe(200)
    expect(at('2026-11-23T12:00:00.002Z')).toBeNull()
  })
})

test('what was logged comes before what the provider reported, and that before a price', () => {
  const book = PriceBook.EMPTY.with([price({ per_million: { input: '2' } })], [])
  const reported = request({ input_tokens: 1, provider_cost_usd: 5 })
  expect(rowCost(reported, { sats: 3, usd: null }, book)).toMatchObject({ cost_sats: 3, cost_usd: null })
  expect(rowCost(reported, NOTHING, book)).toMatchObject({
    cost_usd: 5,
    cost_source: 'provider',
    price: null,
  })
  expect(rowCost(request({ input_tokens: 1 }), NOTHING, book)).toMatchObject({ cost_source: 'price_book' })
  expect(rowCost(request({ input_tokens: 1 }), NOTHING, PriceBook.EMPTY)).toEqual({
    ...{ cost_sats: null, cost_usd: null, cost_source: null, cost_currency: null, price: null },
  })
})

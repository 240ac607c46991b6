import { describe, expect, test } from 'vitest'
import {
  type GenaiProvider,
  genaiPriceList,
  readGenaiPrices,
} from '../../../src/maintenance/prices/genai-prices.js'

type Model = GenaiProvider['models'][number]

function listOf(...models: (Partial<Model> & { id: string })[]) {
  const filled = models.map((model) => ({ match: { equals: model.id }, prices: { input_mtok: 1 }, ...model }))
  return genaiPriceList([{ id: 'openai', models: filled }], '1.2.3')
}

/** The prices of a list, without what they have in common. */
function terms({ prices }: ReturnType<typeof listOf>) {
  return prices.map(({ event, isDated }) => [
    event.model,
    isDated ? event.valid_from.slice(0, 10) : null,
    event.min_input_tokens,
    event.per_million,
  ])
}

test('each part has its price of a million tokens; fees of tools are left out', () => {
  const prices = { input_mtok: 0.15, cache_read_mtok: 0.075, output_mtok: 15, web_searches_kcount: 10 }
  const list = listOf({ id: 'gpt-4o', prices: { ...prices, requests_kcount: 12 } })
  expect(list.leftOut).toEqual([])
  expect(list.prices).toEqual([
    {
      line: null,
      isDated: false,
      event: expect.objectContaining({
        provider: 'openai',
        model: 'gpt-4o',
        currency: 'usd',
        per_million: { input: '0.15', cache_read_input: '0.075', output: '15' },
        per_request: '0.012',
        source: 'genai-prices 1.2.3',
      }),
    },
  ])
})

test('a tier counts from one token more than it names, for every part', () => {
  const tiered = (base: number, price: number) => ({ base, tiers: [{ start: 200_000, price }] })
  const prices = { input_mtok: tiered(3, 6), output_mtok: 15, cache_read_mtok: tiered(0.3, 0.6) }
  expect(terms(listOf({ id: 'm', prices }))).toEqual([
    ['m', null, null, { input: '3', cache_read_input: '0.3', output: '15' }],
    ['m', null, 200_001, { input: '6', cache_read_input: '0.6', output: '15' }],
  ])
})

test('a price from a date on follows the one before, and tiers that it lacks end with it', () => {
  const tiered = { base: 3, tiers: [{ start: 200_000, price: 6 }] }
  const prices = [
    { prices: { input_mtok: tiered } },
    { constraint: { type: 'start_date', start_date: '2026-03-13' }, prices: { input_mtok: 2 } },
  ]
  expect(terms(listOf({ id: 'm', prices }))).toEqual([
    ['m', null, null, { input: '3' }],
    ['m', null, 200_001, { input: '6' }],
    ['m', '2026-03-13', null, { input: '2' }],
    ['m', '2026-03-13', 200_001, null],
  ])
})

test('only names that are written out are taken; a name is that of the first model that it matches', () => {
  const list = listOf(
    { id: 'mini', match: { or: [{ equals: 'mini' }, { equals: 'mini-1' }, { contains: 'tiny' }] } },
    { id: 'tiny', match: { equals: 'tiny' } },
    { id: 'big', match: { starts_with: 'big-2024' } },
    { id: 'both', match: { and: [{ starts_with: 'bo' }, { ends_with: 'th' }] } },
  )
  expect(terms(list).map(([model]) => model)).toEqual(['mini', 'mini-1', 'both'])
  expect(list.likeness('openai', 'big-2024-11-20')).toEqual({
    model: 'big',
    rule: "begins with 'big-2024'",
  })
  expect(list.likeness('openai', 'bath')).toBeNull()
  expect(list.likeness('azure', 'big-2024-11-20')).toBeNull()
  expect(list.likeness(null, 'big-2024-11-20')).toBeNull()
})

describe.each([
  ['has no price of tokens or requests', {}],
  [
    'its price depends on the time of day',
    [{ prices: { input_mtok: 1 } }, { constraint: { type: 'time_of_date' }, prices: { input_mtok: 2 } }],
  ],
  ['its price depends on weekday', [{ constraint: { type: 'weekday' }, prices: { input_mtok: 2 } }]],
  ['is priced by audio_hours, which', { audio_hours: 0.1 }],
  ['is priced by cache_audio_read_mtok, audio_hours', { cache_audio_read_mtok: 0.2, audio_hours: 1 }],
  ['has no price of tokens or requests', { web_searches_kcount: 10 }],
  ["can't be written exactly", { input_mtok: 0.1234567 }],
  ["can't be written exactly", { input_mtok: -1 }],
])('a model about which is said: %s', (reason, prices) => {
  test('is left out, and listed with the reason', () => {
    const { leftOut, ...list } = listOf({ id: 'm', prices: prices as Model['prices'] })
    expect(list.prices).toEqual([])
    expect(leftOut).toEqual([
      { provider: 'openai', model: 'm', line: null, reason: expect.stringContaining(reason) },
    ])
  })
})

test('the installed package is read as it is: its own price is that of the list', async () => {
  const { calcPrice } = await import('@pydantic/genai-prices')
  const list = await readGenaiPrices()
  expect(list.source).toMatch(/^genai-prices \d+\.\d+\.\d+$/)
  expect(list.prices.length).toBeGreaterThan(1000)
  const undated = list.prices.filter(
    ({ event, isDated }) =>
      !isDated && event.min_input_tokens === null && event.per_million !== null && event.per_request === null,
  )
  const dated = new Set(list.prices.flatMap(({ event, isDated }) => (isDated ? [event.model] : [])))
  const wrong = undated.filter(({ event }) => {
    if (dated.has(event.model)) return false
    const usage = { input_tokens: 1_000_000, cache_read_tokens: 0, output_tokens: 0 }
    const found = calcPrice({ ...usage, input_tokens: 1000 }, event.model, {
      providerId: event.provider ?? '',
    })
    const expected = Number(event.per_million?.input ?? 0) / 1000
    return Math.abs((found?.total_price ?? -1) - expected) > 1e-9
  })
  expect(wrong.map(({ event }) => `${event.provider}/${event.model}`)).toEqual([])
})

test('a price of cached audio or images is taken if all cached tokens cost the same, and otherwise left out with the command that is exact without such tokens', () => {
  const prices = { input_mtok: 5, cache_read_mtok: 2.5, input_audio_mtok: 40, output_mtok: 20 }
  const list = listOf(
    { id: 'same', prices: { ...prices, cache_audio_read_mtok: 2.5, cache_image_read_mtok: 2.5 } },
    { id: 'other', prices: { ...prices, cache_audio_read_mtok: 3 } },
    { id: 'images', prices: { ...prices, cache_audio_read_mtok: 2.5, cache_image_read_mtok: 3 } },
    { id: 'alone', prices: { input_mtok: 5, cache_audio_read_mtok: 2.5 } },
  )
  expect(terms(list)).toEqual([
    ['same', null, null, { input: '5', cache_read_input: '2.5', audio_input: '40', output: '20' }],
  ])
  expect(list.leftOut.map(({ model, reason }) => [model, reason.split(',')[0]])).toEqual([
    ['other', "the price of cached audio isn't that of other cached tokens"],
    ['images', "the price of cached images isn't that of other cached tokens"],
    ['alone', "the price of cached audio isn't that of other cached tokens"],
  ])
  expect(list.leftOut[0]?.reason).toMatch(
    /this is exact: prices set 'other' --provider openai --input 5 --cache-read-input 2\.5 --audio-input 40 --output 20$/,
  )
})

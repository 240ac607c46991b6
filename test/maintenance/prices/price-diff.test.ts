import { describe, expect, test } from 'vitest'
import type { PriceSet } from '../../../src/events/event-types.js'
import type { PlacedPrice } from '../../../src/folds/costs/price.js'
import { type DiffOptions, diffPrices } from '../../../src/maintenance/prices/price-diff.js'
import type { ListedPrice } from '../../../src/maintenance/prices/price-list.js'

const NOW = '2026-11-27T12:00:00.000Z'
const OPTIONS: DiffOptions = { validFrom: NOW, now: NOW, overwrite: false, withdrawGone: false }

function price(fields: Partial<PriceSet> & { input?: string } = {}): PriceSet {
  const { input = '1', ...rest } = fields
  return {
    type: 'price_set',
    provider: 'openai',
    model: 'm',
    valid_from: '2026-01-01T00:00:00.000Z',
    currency: 'usd',
    per_million: { input },
    per_request: null,
    service_tier: null,
    min_input_tokens: null,
    source: 'litellm',
    ...rest,
  }
}

const stored = (...events: PriceSet[]) =>
  events.map((event, byteOffset): PlacedPrice => ({ event, segmentId: 1, byteOffset }))
const undated = (event: PriceSet): ListedPrice => ({ event, isDated: false, line: null })
const dated = (event: PriceSet): ListedPrice => ({ event, isDated: true, line: 7 })

const publicList = (...prices: ListedPrice[]) => ({ source: 'litellm', isPublic: true, prices })
const ownFile = (...prices: ListedPrice[]) => ({ source: 'csv our.csv', isPublic: false, prices })

/** The changes of a diff: since when, what it was, and what it becomes. */
function told({ new: added, changed, gone, kept, unchanged }: ReturnType<typeof diffPrices>) {
  const input = (event: PriceSet | null) => event?.per_million?.input ?? null
  const changes = (list: typeof added) =>
    list.map(({ old, new: event }) => `${event.valid_from.slice(0, 10)} ${input(old)} → ${input(event)}`)
  return {
    new: changes(added),
    changed: changes(changed),
    gone: gone.map(input),
    kept: changes(kept),
    unchanged,
  }
}

const NOTHING = { new: [], changed: [], gone: [], kept: [], unchanged: 0 }

test('a price that is in force already changes nothing, however its decimals are written', () => {
  const diff = diffPrices(
    stored(price({ input: '2.50' })),
    publicList(undated(price({ input: '2.5' }))),
    OPTIONS,
  )
  expect(told(diff)).toEqual({ ...NOTHING, unchanged: 1 })
})

test('a price of a key that has none is new, and one that differs is changed, from validFrom on', () => {
  const list = publicList(undated(price({ input: '2' })), undated(price({ model: 'other' })))
  expect(told(diffPrices(stored(price()), list, OPTIONS))).toEqual({
    ...NOTHING,
    new: ['2026-11-27 null → 1'],
    changed: ['2026-11-27 1 → 2'],
  })
})

test('of stored prices the latest counts, and of one instant the later place', () => {
  const early = price({ input: '9', valid_from: '2025-01-01T00:00:00.000Z' })
  const known = stored(price({ input: '1' }), price({ input: '2' }), early)
  expect(told(diffPrices(known, publicList(undated(price({ input: '2' }))), OPTIONS)).unchanged).toBe(1)
})

test('a withdrawn price is none', () => {
  const withdrawn = price({ per_million: null })
  expect(told(diffPrices(stored(withdrawn), publicList(undated(price())), OPTIONS))).toMatchObject({
    changed: [],
    new: ['2026-11-27 null → 1'],
  })
  expect(told(diffPrices(stored(withdrawn), publicList(undated(withdrawn)), OPTIONS)).unchanged).toBe(1)
})

describe('a public list with dates', () => {
  const list = publicList(
    undated(price({ input: '3' })),
    dated(price({ input: '2', valid_from: '2026-03-13T00:00:00.000Z' })),
    dated(price({ input: '5', valid_from: '2027-01-01T00:00:00.000Z' })),
  )

  test('says what is in force at validFrom and what follows, and leaves older requests alone', () => {
    expect(told(diffPrices([], list, OPTIONS))).toEqual({
      ...NOTHING,
      new: ['2026-11-27 null → 2', '2027-01-01 2 → 5'],
    })
  })

  test('says its whole history from an earlier validFrom on', () => {
    const diff = diffPrices([], list, { ...OPTIONS, validFrom: '2026-01-01T00:00:00.000Z' })
    expect(told(diff).new).toEqual(['2026-01-01 null → 3', '2026-03-13 3 → 2', '2027-01-01 2 → 5'])
  })

  test('changes nothing when it is imported again', () => {
    const { new: added } = diffPrices([], list, OPTIONS)
    expect(told(diffPrices(stored(...added.map((change) => change.new)), list, OPTIONS))).toEqual({
      ...NOTHING,
      unchanged: 1,
    })
  })
})

test('what was recorded between an earlier validFrom and now stays, and the list counts from now on', () => {
  const known = stored(price({ input: '5', valid_from: '2026-06-01T00:00:00.000Z' }))
  const options = { ...OPTIONS, validFrom: '2026-01-01T00:00:00.000Z' }
  expect(told(diffPrices(known, publicList(undated(price({ input: '3' }))), options)).changed).toEqual([
    '2026-01-01 null → 3',
    '2026-11-27 5 → 3',
  ])
})

test('a public list keeps prices that were set otherwise, unless it is told to overwrite them', () => {
  const known = stored(price({ input: '9', source: 'prices set' }))
  const list = publicList(undated(price()))
  expect(told(diffPrices(known, list, OPTIONS))).toEqual({ ...NOTHING, kept: ['2026-11-27 9 → 1'] })
  expect(told(diffPrices(known, list, { ...OPTIONS, overwrite: true }))).toEqual({
    ...NOTHING,
    changed: ['2026-11-27 9 → 1'],
  })
})

test('models that are gone are told, and lose their price only on demand', () => {
  const known = stored(price({ model: 'old' }), price({ model: 'ours', source: 'csv our.csv' }))
  const list = publicList(undated(price()))
  expect(told(diffPrices(known, list, OPTIONS))).toMatchObject({ gone: ['1'], changed: [] })
  expect(told(diffPrices(known, list, { ...OPTIONS, withdrawGone: true }))).toMatchObject({
    gone: ['1'],
    changed: ['2026-11-27 1 → null'],
  })
})

test('a tier that a model no longer has ends, since it would count beside the new price', () => {
  const known = stored(
    price(),
    price({ input: '2', min_input_tokens: 200_001 }),
    price({ service_tier: 'flex' }),
  )
  expect(told(diffPrices(known, publicList(undated(price())), OPTIONS))).toEqual({
    ...NOTHING,
    unchanged: 1,
    changed: ['2026-11-27 2 → null', '2026-11-27 1 → null'],
  })
})

test('a file of one’s own says its dates itself and replaces any price; what it does not name stays', () => {
  const known = stored(price({ input: '9', source: 'prices set' }), price({ model: 'other' }))
  const past = price({ input: '4', valid_from: '2026-02-01T00:00:00.000Z' })
  const diff = diffPrices(known, ownFile(undated(price({ input: '6' })), dated(past)), OPTIONS)
  expect(told(diff)).toEqual({ ...NOTHING, changed: ['2026-02-01 9 → 4', '2026-11-27 4 → 6'] })
  expect(diff.changed.map(({ line }) => line)).toEqual([7, null])
})

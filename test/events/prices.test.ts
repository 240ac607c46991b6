import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { completeEvent, scanFields } from '../../src/events/complete.js'
import { InvalidEventError } from '../../src/events/errors.js'
import { type JournalEvent, PRICE_PARTS } from '../../src/events/event-types.js'
import { decodeLine } from '../../src/events/line.js'
import { nearestName } from '../../src/events/nearest-name.js'
import { isDecimalText } from '../../src/events/price-values.js'
import { completeCompletion, completeLog, defaults, leastLog, lineOf } from './support.js'

const PRICE = {
  type: 'price_set',
  model: 'gpt-4o',
  valid_from: '2026-11-22T20:43:00+01:00',
  currency: 'usd',
  per_million: { output: '0.6', input: '0.150' },
}
const RATE = { type: 'exchange_rate_observed', observed_at: '2026-11-22T19:43:00Z', usd_per_btc: '91234.56' }

function refusalOf(event: object): string {
  try {
    completeEvent(event, defaults)
  } catch (error) {
    if (error instanceof InvalidEventError) return error.message
    throw error
  }
  throw new Error('expected an InvalidEventError, nothing was thrown')
}

describe('what is accepted', () => {
  test('a price gets nulls for what is left out, UTC, and its parts in one order', () => {
    const event = completeEvent(PRICE, defaults)
    expect(JSON.stringify(event)).toBe(
      '{"type":"price_set","provider":null,"model":"gpt-4o","valid_from":"2026-11-22T19:43:00.000Z","currency":"usd",' +
        '"per_million":{"input":"0.150","output":"0.6"},"per_request":null,"service_tier":null,"min_input_tokens":null,"source":null}',
    )
  })

  test('a rate gets UTC, and null for a source that is left out', () => {
    expect(completeEvent(RATE, defaults)).toStrictEqual({
      ...RATE,
      observed_at: '2026-11-22T19:43:00.000Z',
      source: null,
    })
  })

  test('a price with neither per_million nor per_request withdraws', () => {
    const withdrawn = { ...PRICE, per_million: undefined }
    expect(completeEvent(withdrawn, defaults)).toMatchObject({ per_million: null, per_request: null })
  })

  test.each([
    { currency: 'usd', per_million: { input: '1000000.000000' } },
    { currency: 'sats', per_million: { input: '1000000000' } },
    { per_million: { input: '0', cache_read_input: undefined } },
    { per_million: null, per_request: '0.000000000001' },
    { per_million: { input: '007.5' } },
  ])('%j', (members) => {
    expect(completeEvent({ ...PRICE, ...members }, defaults)).toMatchObject(
      JSON.parse(JSON.stringify(members)),
    )
  })
})

const TO_A_MILLION =
  'a decimal text from 0 to 1000000, with at most 6 decimals, no sign, exponent or separator'
const RATE_TEXT =
  'a decimal text over 0, at most 1000000000, with at most 8 decimals, no sign, exponent or separator'

describe('what is refused, and how', () => {
  test.each([
    ['-0.15', `found "-0.15", expected ${TO_A_MILLION}, as '0.15'`],
    ['+1', `found "+1", expected ${TO_A_MILLION}, as '0.15'`],
    ['1,000', `found "1,000", expected ${TO_A_MILLION}, as '0.15'`],
    ['0,15', `found "0,15", expected ${TO_A_MILLION}, as '0.15'`],
    ['1e3', `found "1e3", expected ${TO_A_MILLION}, as '0.15'`],
    ['.5', `found ".5", expected ${TO_A_MILLION}, as '0.15'`],
    ['1.', `found "1.", expected ${TO_A_MILLION}, as '0.15'`],
    ['', `found "", expected ${TO_A_MILLION}, as '0.15'`],
    ['1\n', `found "1\\n", expected ${TO_A_MILLION}, as '0.15'`],
    ['0.1234567', `found "0.1234567", expected ${TO_A_MILLION}, as '0.15'`],
    ['1000000.000001', `found "1000000.000001", expected ${TO_A_MILLION}, as '0.15'`],
    [0.15, `found 0.15, expected ${TO_A_MILLION}: write it as text, '0.15'`],
    [3, `found 3, expected ${TO_A_MILLION}: write it as text, '3'`],
    [0.000001, `found 0.000001, expected ${TO_A_MILLION}: write it as text, '0.000001'`],
    [-1, `found -1, expected ${TO_A_MILLION}, as '0.15'`],
    [Number.NaN, `found NaN, expected ${TO_A_MILLION}, as '0.15'`],
    [null, `found null, expected ${TO_A_MILLION}, as '0.15'`],
  ])('a price of %j for a million tokens', (input, problem) => {
    const message = refusalOf({ ...PRICE, per_million: { input, output: '0.6' } })
    expect(message).toBe(`Invalid request log event: per_million.input: ${problem}`)
  })

  test.each([
    [{ currency: 'eur' }, `currency: found "eur", expected 'usd' or 'sats'`],
    [{ currency: undefined }, `currency: found nothing, expected 'usd' or 'sats'`],
    [
      { valid_from: '2026-11-22T19:43:00' },
      'valid_from: found "2026-11-22T19:43:00", expected RFC 3339 with ',
    ],
    [{ valid_from: undefined }, 'valid_from: found nothing, expected a string'],
    [{ model: undefined }, 'model: found nothing, expected a string without NUL'],
    [{ per_million: {} }, 'per_million: found no price, expected a price, or null to withdraw the price'],
    [{ per_million: { input: undefined } }, 'per_million: found no price, expected a price'],
    [
      { per_million: ['1'] },
      `per_million: found an array of 1, expected an object of prices, as { input: '0.15'`,
    ],
    [
      { per_million: { inputs: '1', output: '2' } },
      `per_million.inputs: found a member of an unknown name, expected one of ${PRICE_PARTS.join(', ')}; the nearest is input`,
    ],
    [{ per_million: { cached_input: '1' } }, `; the nearest is ${nearestName('cached_input', PRICE_PARTS)}`],
    [
      { per_request: '0.0000000000001' },
      'per_request: found "0.0000000000001", expected a decimal text from 0',
    ],
    [
      { per_request: '1000000.000000000001' },
      'per_request: found "1000000.000000000001", expected a decimal',
    ],
    [{ per_request: 1 }, `write it as text, '1'`],
    [{ min_input_tokens: -1 }, 'min_input_tokens: found -1, expected an integer from 0 to 2^53 − 1 or null'],
    [{ source: 'a\0b' }, 'source: found "a\\u0000b", expected a string without NUL or null'],
    [
      { currency: 'x', per_million: { input: 1, x: '1' }, per_request: '-1' },
      /currency: .*; per_million\.input: .*; per_million\.x: .*; per_request: /,
    ],
  ])('a price with %j', (members, message) => {
    expect(refusalOf({ ...PRICE, ...members })).toMatch(message)
  })

  test.each([
    [{ usd_per_btc: '0' }, `usd_per_btc: found "0", expected ${RATE_TEXT}, as '0.15'`],
    [{ usd_per_btc: '0.00000000' }, `usd_per_btc: found "0.00000000", expected ${RATE_TEXT}`],
    [{ usd_per_btc: 91234.56 }, `found 91234.56, expected ${RATE_TEXT}: write it as text, '91234.56'`],
    [{ usd_per_btc: '91,234' }, 'found "91,234"'],
    [{ usd_per_btc: undefined }, 'usd_per_btc: found nothing'],
    [{ observed_at: '2026-11-22' }, 'observed_at: found "2026-11-22", expected RFC 3339'],
    [{ observed_at: null }, 'observed_at: found null, expected a string'],
  ])('a rate with %j', (members, message) => {
    expect(refusalOf({ ...RATE, ...members })).toContain(message)
  })
})

test('a decimal text is within its limits exactly where its value is', () => {
  const digits = fc.stringMatching(/^[0-9]{1,5}(\.[0-9]{1,4})?$/)
  fc.assert(
    fc.property(digits, (text) => {
      const limits = { max: 1000, maxDecimals: 3, isPositive: true }
      const isFine = (text.split('.')[1] ?? '').length <= 3
      expect(isDecimalText(text, limits)).toBe(isFine && Number(text) > 0 && Number(text) <= 1000)
    }),
  )
})

describe('the details of an outcome', () => {
  const details = {
    response_model: 'gpt-4o-2026-08-06',
    service_tier: 'flex',
    cache_read_input_tokens: 1,
    cache_creation_input_tokens: 2,
    cache_creation_1h_input_tokens: 3,
    audio_input_tokens: 4,
    image_input_tokens: 5,
    reasoning_output_tokens: 0,
    audio_output_tokens: 7,
    cost_usd: 0.00125,
    provider_cost_usd: 0,
  }
  const nulls = Object.fromEntries(Object.keys(details).map((name) => [name, null]))
  const completion = { type: 'stream_completed', correlation_id: 'c' }

  test('are kept by both events, also where a part is larger than its whole', () => {
    expect(completeLog({ ...leastLog, ...details, input_tokens: 0 })).toMatchObject(details)
    expect(completeCompletion({ ...completion, ...details })).toMatchObject(details)
  })

  test('are left out when null, so that the bytes of a line without them are those of before', () => {
    for (const event of [leastLog, completion]) {
      const line = lineOf(completeEvent({ ...event, ...nulls }, defaults))
      expect(line).toEqual(lineOf(completeEvent(event, defaults)))
      for (const name of Object.keys(details)) expect(line.toString()).not.toContain(name)
    }
  })

  test('are found by their names, also if accessors of a class give them', () => {
    expect(scanFields(leastLog)).toEqual({ mayHaveDetails: false, unknown: null })
    expect(scanFields({ ...leastLog, cost_usd: 1 })).toEqual({ mayHaveDetails: true, unknown: null })
    expect(scanFields({ ...leastLog, cost_usd: 1 })).toEqual({ mayHaveDetails: true, unknown: null })
    class Log {
      model = 'm'
      latency_ms = 1
      success = true
      get cost_usd(): number {
        return 2
      }
    }
    const log = new Log()
    expect(completeEvent(log, defaults, scanFields(log).mayHaveDetails)).toMatchObject({ cost_usd: 2 })
  })

  test('a cost in dollars that is not finite is left out, and the caller is told', () => {
    const told: string[] = []
    const listening = { ...defaults, costDropped: (member: string) => told.push(member) }
    const log = {
      ...leastLog,
      cost_sats: 1,
      provider_cost_sats: 1,
      cost_usd: Number.NaN,
      provider_cost_usd: Infinity,
    }
    const event = completeEvent(log, listening)
    expect(event).not.toHaveProperty('cost_usd')
    expect(event).not.toHaveProperty('provider_cost_usd')
    expect(told).toEqual(['cost_usd', 'provider_cost_usd'])
  })
})

test('any price and rate is the same after it was written and read', () => {
  const decimal = fc.stringMatching(/^[0-9]{1,6}(\.[0-9]{1,6})?$/)
  const name = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.replaceAll('\0', ''))
  const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
  const price = fc.record({
    type: fc.constant('price_set'),
    provider: orNull(name),
    model: name,
    valid_from: fc.constantFrom('2026-11-22T20:43:00+01:00', '0001-01-01T00:00:00Z'),
    currency: fc.constantFrom('usd', 'sats'),
    per_million: orNull(
      fc.dictionary(fc.constantFrom(...PRICE_PARTS), decimal, { minKeys: 1, maxKeys: PRICE_PARTS.length }),
    ),
    per_request: orNull(decimal),
    service_tier: orNull(name),
    min_input_tokens: orNull(fc.maxSafeNat()),
    source: orNull(name),
  })
  const rate = fc.record({
    type: fc.constant('exchange_rate_observed'),
    observed_at: fc.constant('2026-11-22T19:43:00Z'),
    usd_per_btc: decimal.filter((text) => Number(text) > 0),
    source: orNull(name),
  })
  fc.assert(
    fc.property(fc.oneof(price, rate), (input) => {
      const event: JournalEvent = completeEvent(input, defaults)
      expect(decodeLine(lineOf(event), defaults)).toEqual({ event, isChecked: true })
    }),
  )
})

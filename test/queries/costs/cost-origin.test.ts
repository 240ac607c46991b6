import { describe, expect } from 'vitest'
import { projectOnce } from '../../../src/projection/index.js'
import { getRequest, openDatabaseReadOnly, type RequestDetail } from '../../../src/queries/index.js'
import { DAY, lines, writeSegment } from '../../support/journal-files.js'
import { checkedLine, requestLine } from '../../support/lines.js'
import { test, type Workspace } from '../../support/workspace.js'

const USAGE = { input_tokens: 1000, output_tokens: 100 }
const OBSERVED = '2026-11-22T09:00:00.000Z'

function priceLine(fields: object = {}): string {
  return checkedLine({
    ...{ type: 'price_set', provider: null, model: 'gpt-4o', valid_from: '2026-11-01T00:00:00.000Z' },
    ...{ currency: 'usd', per_million: { input: '2', output: '10' }, per_request: null },
    ...{ service_tier: null, min_input_tokens: null, source: 'the bill' },
    ...fields,
  })
}

function rateLine(observed_at = OBSERVED, usd_per_btc = '100000'): string {
  return checkedLine({ type: 'exchange_rate_observed', observed_at, usd_per_btc, source: 'the exchange' })
}

/** The first request of a journal with these lines. */
async function first(workspace: Workspace, ...text: string[]): Promise<RequestDetail> {
  writeSegment(workspace.journal, lines(...text))
  await projectOnce(workspace)
  const connection = openDatabaseReadOnly(workspace.database)
  try {
    const detail = await getRequest(connection, 1)
    if (detail === null) throw new Error('there is no request')
    return detail
  } finally {
    connection.close()
  }
}

describe('how a cost came about', () => {
  test('tokens times price for each part, exactly, the price of a request, and the rate', async ({
    workspace,
  }) => {
    const perMillion = { input: '2', cache_read_input: '0.333333', output: '10' }
    const usage = { ...USAGE, cache_read_input_tokens: 400, reasoning_output_tokens: 60 }
    const price = priceLine({ per_million: perMillion, per_request: '0.01' })
    const detail = await first(workspace, price, rateLine(), requestLine('a', usage))
    expect(detail).toMatchObject({
      cost: { usd: 0.012333333, sats: 12.3333332 },
      price: { per_request: '0.01', source: 'the bill', byte_offset: 0, segment: DAY },
      exchange_rate: {
        ...{ observed_at: OBSERVED, usd_per_btc: '100000', source: 'the exchange' },
        ...{ segment: DAY, byte_offset: Buffer.byteLength(price) + 1 },
      },
      unpriced: null,
    })
    // Reasoning tokens have no price of their own here: they cost what all output costs.
    expect(detail.cost_parts).toEqual([
      { part: 'input', tokens: 600, per_million: '2', cost: '0.0012' },
      { part: 'cache_read_input', tokens: 400, per_million: '0.333333', cost: '0.0001333332' },
      { part: 'output', tokens: 100, per_million: '10', cost: '0.001' },
    ])
  })

  test('cache writes of an hour cost what all cache writes cost, unless they have a price of their own', async ({
    workspace,
  }) => {
    const usage = { ...USAGE, cache_creation_input_tokens: 300, cache_creation_1h_input_tokens: 100 }
    const price = priceLine({ per_million: { input: '2', cache_creation_input: '4' } })
    const { cost_parts } = await first(workspace, price, requestLine('a', usage))
    expect(cost_parts).toEqual([
      { part: 'input', tokens: 700, per_million: '2', cost: '0.0014' },
      { part: 'cache_creation_input', tokens: 200, per_million: '4', cost: '0.0008' },
      { part: 'cache_creation_1h_input', tokens: 100, per_million: '4', cost: '0.0004' },
    ])
  })

  test('a figure that was logged has a rate, and no price', async ({ workspace }) => {
    const detail = await first(
      workspace,
      priceLine(),
      rateLine(),
      requestLine('a', { ...USAGE, cost_sats: 50 }),
    )
    expect(detail).toMatchObject({ cost: { sats: 50, usd: 0.05 }, cost_source: 'logged', unpriced: null })
    expect(detail).toMatchObject({ price: null, cost_parts: null, exchange_rate: { observed_at: OBSERVED } })
  })

  test('figures of both currencies follow from no rate', async ({ workspace }) => {
    const costs = { provider_cost_sats: 50, provider_cost_usd: 0.06 }
    const detail = await first(workspace, rateLine(), requestLine('a', costs))
    expect(detail).toMatchObject({ cost_source: 'provider', exchange_rate: null, unpriced: null })
  })
})

describe('why a cost is unknown', () => {
  test.for<[string, string[], Record<string, unknown>, object]>([
    [
      'nobody has set a price of its model: the command says which',
      [],
      { ...USAGE, provider: 'open ai', service_tier: 'flex', response_model: 'gpt-4o-2026' },
      {
        ...{ currency: 'both', reason: 'no_price' },
        text: 'No price is set for gpt-4o-2026 or gpt-4o.',
        command:
          "request-journal prices set gpt-4o-2026 --provider 'open ai' --service-tier flex --valid-from 2026-11-22T00:00:00Z --input PRICE --output PRICE",
      },
    ],
    [
      'the prices of its model are for other requests',
      [priceLine({ service_tier: 'flex' }), priceLine({ provider: 'west' })],
      { ...USAGE, provider: 'east', service_tier: 'default', response_model: 'gpt-4o-2026' },
      {
        reason: 'price_not_in_force',
        text: 'Prices of gpt-4o are set, but none was in force for this request of provider east.',
        command:
          'request-journal prices set gpt-4o --provider east --valid-from 2026-11-22T00:00:00Z --input PRICE --output PRICE',
      },
    ],
    [
      'its price came into force later: the command has its figures',
      [priceLine({ valid_from: '2026-11-23T00:00:00.000Z', provider: 'east' })],
      { ...USAGE, provider: 'east', response_model: 'gpt-4o-2026' },
      {
        reason: 'price_not_in_force',
        text: 'The price of gpt-4o is in force from 2026-11-23 00:00:00 UTC on, which is after this request.',
        command:
          'request-journal prices set gpt-4o --provider east --valid-from 2026-11-22T00:00:00Z --input 2 --output 10',
      },
    ],
    [
      'its tokens are unknown, and it has no price: the tokens come first',
      [],
      { streaming: true },
      { reason: 'unknown_tokens', text: expect.stringContaining('include_usage'), command: null },
    ],
    [
      'the rate is older than a day',
      [rateLine('2026-11-21T09:00:00.000Z')],
      { cost_sats: 5 },
      {
        currency: 'usd',
        reason: 'no_rate',
        command: expect.stringContaining('rates set USD_PER_BTC --at 2026-'),
      },
    ],
    [
      'its tokens are unknown',
      [priceLine()],
      { input_tokens: 5 },
      { reason: 'unknown_tokens', command: null },
    ],
    [
      'its parts are more than the whole',
      [priceLine({ per_million: { input: '2', cache_read_input: '1' } })],
      { input_tokens: 5, cache_read_input_tokens: 6 },
      { reason: 'inconsistent_tokens', command: null },
    ],
    [
      'it failed, and nobody told its tokens',
      [priceLine()],
      { success: false, error_status: 500 },
      {
        reason: 'failed_without_usage',
        text: expect.stringMatching(/ counts as not billed\.$/),
        command: null,
      },
    ],
    [
      'its stream was aborted',
      [priceLine()],
      { streaming: true, success: false, error_message: 'aborted by the client' },
      {
        reason: 'failed_without_usage',
        text: expect.stringContaining('not billed, but the provider may bill a part of an aborted stream.'),
        command: null,
      },
    ],
  ])('%s', async ([, events, fields, expected], { workspace }) => {
    const detail = await first(workspace, ...events, requestLine('a', fields))
    expect(detail.unpriced).toMatchObject(expected)
    expect(detail).toMatchObject({ price: null, exchange_rate: null })
  })

  test('a name that does more in a shell than stand there is in no command', async ({ workspace }) => {
    const { unpriced } = await first(workspace, requestLine('a', { ...USAGE, model: 'x\u001b[201~; reboot' }))
    expect(unpriced).toMatchObject({ reason: 'no_price', command: null })
  })

  test('an apostrophe in a name ends no argument', async ({ workspace }) => {
    const { unpriced } = await first(workspace, requestLine('a', { ...USAGE, model: "it's; reboot" }))
    expect(unpriced?.command).toContain(`prices set 'it'\\''s; reboot' --valid-from`)
  })
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { readLitellmPrices } from '../../../src/maintenance/prices/litellm.js'
import { test, type Workspace } from '../../support/workspace.js'

const BASE = { litellm_provider: 'openai', mode: 'chat' }

function read({ directory }: Workspace, models: Record<string, unknown> | string) {
  const path = join(directory, 'prices.json')
  writeFileSync(path, typeof models === 'string' ? models : JSON.stringify(models, null, 4))
  return readLitellmPrices(path)
}

/** The prices of a list, without what they have in common. */
function terms({ prices }: ReturnType<typeof read>) {
  return prices.map(({ event }) => {
    const { provider, model, service_tier, min_input_tokens, per_million } = event
    return [provider, model, service_tier, min_input_tokens, per_million]
  })
}

test('prices of a token become decimal texts of a million, without the noise of floats', ({ workspace }) => {
  const list = read(workspace, {
    sample_spec: { input_cost_per_token: 0, litellm_provider: 'one of …', mode: 'one of …' },
    'gpt-4o-mini': {
      ...BASE,
      max_tokens: 16384,
      input_cost_per_token: 1.5e-7,
      cache_read_input_token_cost: 7.5e-8,
      output_cost_per_token: 6e-7,
      input_cost_per_audio_token: 1.1e-6,
      output_cost_per_reasoning_token: 0.0000012,
      search_context_cost_per_query: { search_context_size_low: 0.025 },
      input_cost_per_second: 0,
    },
  })
  expect(list.leftOut).toEqual([])
  expect(list.prices[0]).toMatchObject({
    line: 7,
    isDated: false,
    event: { currency: 'usd', source: 'litellm' },
  })
  expect(terms(list)).toEqual([
    [
      'openai',
      'gpt-4o-mini',
      null,
      null,
      {
        input: '0.15',
        cache_read_input: '0.075',
        audio_input: '1.1',
        output: '0.6',
        reasoning_output: '1.2',
      },
    ],
  ])
})

test('tiers of tokens begin one token above; what they do not name is the price of fewer', ({
  workspace,
}) => {
  const list = read(workspace, {
    'claude-x': {
      litellm_provider: 'anthropic',
      mode: 'chat',
      input_cost_per_token: 3e-6,
      input_cost_per_token_above_200k_tokens: 6e-6,
      output_cost_per_token: 1.5e-5,
      cache_creation_input_token_cost: 3.75e-6,
      cache_creation_input_token_cost_above_1hr: 6e-6,
      cache_creation_input_token_cost_above_1hr_above_200k_tokens: 1.2e-5,
    },
  })
  const fewer = { input: '3', cache_creation_input: '3.75', cache_creation_1h_input: '6', output: '15' }
  expect(terms(list)).toEqual([
    ['anthropic', 'claude-x', null, null, fewer],
    ['anthropic', 'claude-x', null, 200_001, { ...fewer, input: '6', cache_creation_1h_input: '12' }],
  ])
})

test('service tiers are prices of their own; a batch takes nothing from the usual tier', ({ workspace }) => {
  const list = read(workspace, {
    'gpt-5': {
      ...BASE,
      input_cost_per_token: 1.25e-6,
      input_cost_per_token_flex: 6.25e-7,
      input_cost_per_token_batches: 6.25e-7,
      output_cost_per_token: 1e-5,
      output_cost_per_token_batches: 5e-6,
      cache_read_input_token_cost: 1.25e-7,
      cache_read_input_token_cost_priority: 2.5e-7,
    },
  })
  expect(terms(list)).toEqual([
    ['openai', 'gpt-5', null, null, { input: '1.25', cache_read_input: '0.125', output: '10' }],
    ['openai', 'gpt-5', 'flex', null, { input: '0.625', cache_read_input: '0.125', output: '10' }],
    ['openai', 'gpt-5', 'batch', null, { input: '0.625', output: '5' }],
    ['openai', 'gpt-5', 'priority', null, { input: '1.25', cache_read_input: '0.25', output: '10' }],
  ])
})

test('a name that begins with its provider is listed with and without it', ({ workspace }) => {
  const list = read(workspace, { 'openai/gpt-4o': { ...BASE, input_cost_per_token: 1e-6 } })
  expect(list.prices.map(({ event }) => event.model)).toEqual(['openai/gpt-4o', 'gpt-4o'])
})

describe.each([
  ['an image model', { mode: 'image_generation', output_cost_per_image: 0.04 }, /mode is image_generation/],
  ['a price of a second', { mode: 'chat', input_cost_per_second: 0.01 }, /priced by input_cost_per_second/],
  ['cached audio', { mode: 'chat', cache_read_input_audio_token_cost: 1e-8 }, /cache_read_input_audio_token/],
  ['a list of tiers', { mode: 'chat', tiered_pricing: [{ range: [0, 1] }] }, /priced by tiered_pricing/],
  ['no price', { input_cost_per_token: null }, /has no price of a token/],
  ['a price that is too fine', { mode: 'chat', input_cost_per_token: 1.23e-13 }, /more than 6 decimals/],
])('a model with %s', (_, members, reason) => {
  test('is left out, and listed with the reason', ({ workspace }) => {
    const { prices, leftOut } = read(workspace, { m: { ...BASE, input_cost_per_token: 1e-6, ...members } })
    expect(prices).toEqual([])
    expect(leftOut).toEqual([
      { provider: 'openai', model: 'm', line: 2, reason: expect.stringMatching(reason) },
    ])
  })
})

describe.each([
  [
    'a negative price',
    { input_cost_per_token: -1e-6 },
    /'bad': input_cost_per_token is -0.000001, which is neg/,
  ],
  ['an absurd price', { input_cost_per_token: 3 }, /per_million.input: found .*3000000/],
  ['a price as a text', { input_cost_per_token: '1e-6' }, /'bad': input_cost_per_token isn't a number/],
])('a file with %s', (_, members, message) => {
  test('is refused by the line of its model', ({ workspace }) => {
    const models = { good: { ...BASE, input_cost_per_token: 1e-6 }, bad: { ...BASE, ...members } }
    expect(() => read(workspace, models)).toThrow(
      expect.objectContaining({ code: 'INVALID_VALUE', line: 7, message: expect.stringMatching(message) }),
    )
  })
})

describe.each([
  ['{"a": ', /isn't JSON/],
  ['[]', /isn't an object of models/],
  ['{"a": 1}', /'a' isn't an object/],
  ['{"a": {"mode": "chat"}}', /'a' has no litellm_provider/],
])('%s', (content, message) => {
  test('is refused', ({ workspace }) => {
    expect(() => read(workspace, content)).toThrow(message)
  })
})

test('a name is like the longest one that it begins with, before a date or a version', ({ workspace }) => {
  const model = { ...BASE, input_cost_per_token: 1e-6 }
  const { likeness } = read(workspace, { 'gpt-4o': model, 'gpt-4o-mini': model, 'Gpt-5': model })
  expect(likeness('openai', 'gpt-4o-mini-2024-07-18')).toEqual({
    model: 'gpt-4o-mini',
    rule: "begins with 'gpt-4o-mini'",
  })
  expect(likeness('openai', 'gpt-5')).toMatchObject({ model: 'Gpt-5' })
  expect(likeness('openai', 'gpt-4omni')).toBeNull()
  expect(likeness('azure', 'gpt-4o-2024')).toBeNull()
  expect(likeness(null, 'gpt-4o-2024')).toBeNull()
})

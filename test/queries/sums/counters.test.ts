import { expect } from 'vitest'
import { LATENCY_BOUNDS_MS } from '../../../src/folds/sums/counters.js'
import { addCounters, readCounters } from '../../../src/queries/sums/counters.js'
import type { Database } from '../../../src/store/sqlite/connection/database.js'
import { test } from '../support.js'

/** Adds a row of counters; what isn't given is 0. */
function insertCounter(database: Database, row: Record<string, string | number | bigint | null>): void {
  const full = { model: 'm', provider: 'p', policy: null, ...row }
  const names = Object.keys(full)
  const values = names.map((name) => `@${name}`)
  database
    .prepare(`INSERT INTO request_counters (${names.join(', ')}) VALUES (${values.join(', ')})`)
    .run(full)
}

function insertLatency(database: Database, id: number, leMs: number, requests: number): void {
  database.prepare('INSERT INTO latency_counters VALUES (?, ?, ?)').run(id, leMs, requests)
}

test('nothing counted yet: no combinations, and no others', ({ database }) => {
  expect(readCounters(database, { limit: 200 })).toEqual({ combinations: [], others: null })
})

test('a combination has what its row has, with its cost and its latencies in one piece', ({ database }) => {
  insertCounter(database, {
    model: 'gpt-4o',
    provider: 'east',
    policy: 'cheap',
    requests: 7,
    failures: 2,
    unpriced: 3,
    input_tokens: 400,
    output_tokens: 50,
    cost_sats: 13,
    cost_nanosats: 2_500_000_001,
    unpriced_usd: 6,
    cost_usd: 1,
    cost_nanousd: 20,
    cache_read_input_tokens: 30,
    cache_creation_input_tokens: 40,
    reasoning_output_tokens: 41,
    latency_ms: 1234,
    corrected_failures: 1,
    corrected_unpriced: 2,
    corrected_input_tokens: 3,
    corrected_output_tokens: 4,
    corrected_cost_sats: 5,
    corrected_cost_nanosats: 6,
    corrected_unpriced_usd: 7,
    corrected_cost_usd: 8,
    corrected_cost_nanousd: -9,
    corrected_cache_read_input_tokens: 10,
    corrected_cache_creation_input_tokens: 11,
    corrected_reasoning_output_tokens: 12,
  })
  insertLatency(database, 1, 50, 4)
  insertLatency(database, 1, 300_000, 1)
  const { combinations, others } = readCounters(database, { limit: 200 })
  expect(combinations).toEqual([
    {
      journal: null,
      model: 'gpt-4o',
      provider: 'east',
      policy: 'cheap',
      requests: 7n,
      failures: 2n,
      unpriced: 3n,
      input_tokens: 400n,
      output_tokens: 50n,
      cost_nanosats: 15_500_000_001n,
      unpriced_usd: 6n,
      cost_nanousd: 1_000_000_020n,
      cache_read_input_tokens: 30n,
      cache_creation_input_tokens: 40n,
      reasoning_output_tokens: 41n,
      latency_ms: 1234n,
      corrected_failures: 1n,
      corrected_unpriced: 2n,
      corrected_input_tokens: 3n,
      corrected_output_tokens: 4n,
      corrected_cost_nanosats: 5_000_000_006n,
      corrected_unpriced_usd: 7n,
      corrected_cost_nanousd: 7_999_999_991n,
      corrected_cache_read_input_tokens: 10n,
      corrected_cache_creation_input_tokens: 11n,
      corrected_reasoning_output_tokens: 12n,
      latencies: [4n, 0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n, 1n],
    },
  ])
  expect(others).toBeNull()
})

test('more than 2^53 of something loses nothing', ({ database }) => {
  insertCounter(database, { input_tokens: 2n ** 53n + 1n, cost_sats: 2n ** 53n + 1n, cost_nanosats: 1 })
  const [counter] = readCounters(database, { limit: 1 }).combinations
  expect(counter?.input_tokens).toBe(2n ** 53n + 1n)
  expect(counter?.cost_nanosats).toBe((2n ** 53n + 1n) * 1_000_000_000n + 1n)
})

test('the first combinations are told apart, all later ones are one sum', ({ database }) => {
  for (const [index, model] of ['a', 'b', 'c', 'd'].entries()) {
    insertCounter(database, { model, requests: 10 ** index, cost_sats: index, cost_nanosats: 600_000_000 })
    insertLatency(database, index + 1, 50, 10 ** index)
  }
  const { combinations, others } = readCounters(database, { limit: 2 })
  expect(combinations.map(({ model, latencies }) => [model, latencies[0]])).toEqual([
    ['a', 1n],
    ['b', 10n],
  ])
  expect(others).toMatchObject({ requests: 1100n, cost_nanosats: 6_200_000_000n })
  expect(others?.latencies[0]).toBe(1100n)
  // Exactly full: nobody is left out.
  expect(readCounters(database, { limit: 4 }).others).toBeNull()
  expect(readCounters(database, { limit: 0 })).toMatchObject({
    combinations: [],
    others: { requests: 1111n },
  })
})

test('a combination that comes later moves none of those before it', ({ database }) => {
  for (const model of ['z', 'y', 'x']) insertCounter(database, { model, requests: 1 })
  const models = () => readCounters(database, { limit: 2 }).combinations.map(({ model }) => model)
  expect(models()).toEqual(['z', 'y'])
  insertCounter(database, { model: 'a', requests: 1_000_000 })
  expect(models()).toEqual(['z', 'y'])
})

test('costs that add up to more than SQLite can count are a great number, not an error', ({ database }) => {
  for (let n = 0; n < 3; n++) insertCounter(database, { cost_sats: 9_000_000_000_000_000_000n })
  const { others } = readCounters(database, { limit: 1 })
  expect(others?.cost_nanosats).toBeGreaterThan(9n * 10n ** 27n)
})

test('two sums together', () => {
  const one = {
    requests: 1n,
    failures: 2n,
    unpriced: 3n,
    input_tokens: 4n,
    output_tokens: 5n,
    cost_nanosats: 6n,
    latency_ms: 7n,
    corrected_failures: 8n,
    corrected_unpriced: 9n,
    corrected_input_tokens: 10n,
    corrected_output_tokens: 11n,
    corrected_cost_nanosats: 12n,
    unpriced_usd: 13n,
    cache_read_input_tokens: 14n,
    cache_creation_input_tokens: 15n,
    reasoning_output_tokens: 16n,
    cost_nanousd: 17n,
    corrected_unpriced_usd: 18n,
    corrected_cache_read_input_tokens: 19n,
    corrected_cache_creation_input_tokens: 20n,
    corrected_reasoning_output_tokens: 21n,
    corrected_cost_nanousd: 22n,
    latencies: LATENCY_BOUNDS_MS.map((bound) => BigInt(bound)),
  }
  const twice = Object.entries(one).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map((count) => 2n * count) : 2n * value,
  ])
  expect(addCounters(one, one)).toEqual(Object.fromEntries(twice))
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Costs, CountedRequest } from '../../../src/folds/stored-request.js'
import { CORRECTABLE, type CounterChanges } from '../../../src/folds/sums/counters.js'
import { SUMS, type SumName } from '../../../src/folds/sums/rollup-cells.js'
import { RollupSums } from '../../../src/folds/sums/rollups.js'
import { ALL_SUMS, rowSums, Tally } from '../../../src/queries/sums/tally.js'
import { openDatabase } from '../../../src/store/sqlite/connection/database.js'
import { SQLITE } from '../../../src/store/sqlite/sqlite-dialect.js'
import { temporaryPath } from '../../store/sqlite/support.js'
import { putEmptyDatabase } from '../../support/empty-database.js'
import { runs } from '../../support/runs.js'

type Counted = CountedRequest & Costs

const tokens = fc.option(fc.oneof(fc.nat(50), fc.constantFrom(1e12, 2e12, Number.MAX_SAFE_INTEGER)), {
  nil: null,
})
const cost = fc.option(
  fc.oneof(fc.double({ min: -5, max: 5, noNaN: true }), fc.constantFrom(1e300, -1e300, 5e-10)),
  {
    nil: null,
  },
)
const outcome = fc.record({
  success: fc.boolean(),
  ...{ input_tokens: tokens, output_tokens: tokens, cost_sats: cost, cost_usd: cost },
  ...{
    cache_read_input_tokens: tokens,
    cache_creation_input_tokens: tokens,
    cache_creation_1h_input_tokens: tokens,
  },
  ...{ audio_input_tokens: tokens, image_input_tokens: tokens },
  ...{ reasoning_output_tokens: tokens, audio_output_tokens: tokens },
  stream_duration_ms: fc.constantFrom(null, 5),
})
const request = fc
  .record({
    outcome,
    streaming: fc.boolean(),
    latency_ms: fc.constantFrom(0, 63, 2 ** 40),
    attempt: fc.constantFrom(null, 0, 1, 7),
  })
  .map(({ outcome, ...fixed }): Counted => ({ ...BASE, ...fixed, ...outcome }))

const BASE = { timestamp: '2026-11-22T10:00:00.000Z', model: 'm', provider: null, policy: null }
const PLAIN: Counted = {
  ...BASE,
  ...{ streaming: false, success: true, latency_ms: 1, input_tokens: 10, output_tokens: 5 },
  ...{ cost_sats: 1, cost_usd: null },
}

/** The sums, and the counters, that changes of one dimension and hour give. */
function collected(change: (sums: RollupSums) => void): {
  sums: Record<SumName, number>
  counters: CounterChanges
} {
  const collector = new RollupSums([])
  change(collector)
  const [taken] = collector.take()
  const dimension = taken?.dimensions[0]
  const [cell] = dimension?.hours.values() ?? []
  const values = taken?.cells.rollup(cell ?? -1).sums
  if (dimension === undefined || values === undefined) throw new Error('nothing was summed')
  const sums = Object.fromEntries(SUMS.map((name, index) => [name, (values[index] ?? 0) + 0]))
  return { sums: sums as Record<SumName, number>, counters: dimension.counters }
}

const added = (request: Counted) => collected((sums) => sums.add(request, request, true))

describe('a request', () => {
  test.for<[string, Partial<Counted>, Partial<Record<SumName, number>>]>([
    ['without a cost in dollars', {}, { unpriced_usd: 1, unpriced_usd_failures: 0, unpriced: 0 }],
    ['that failed without one', { success: false }, { unpriced_usd: 1, unpriced_usd_failures: 1 }],
    [
      'with a cost in dollars',
      { cost_usd: -2.25 },
      { cost_usd: -2, cost_nanousd: -250_000_000, unpriced_usd: 0 },
    ],
    [
      'with cached tokens',
      { cache_read_input_tokens: 3, cache_creation_input_tokens: 4 },
      { cache_read_input_tokens: 3, cache_creation_input_tokens: 4, inconsistent: 0 },
    ],
    ['with reasoning', { reasoning_output_tokens: 5 }, { reasoning_output_tokens: 5, inconsistent: 0 }],
    ['that is the first attempt', { attempt: 0 }, { retries: 0, requests: 1 }],
    ['that is a retry', { attempt: 2 }, { retries: 1, requests: 1 }],
    ['with more cached tokens than tokens', { cache_read_input_tokens: 11 }, { inconsistent: 1 }],
    ['with more reasoning than tokens', { reasoning_output_tokens: 6 }, { inconsistent: 1 }],
    [
      'with more tokens kept for an hour than created',
      { cache_creation_input_tokens: 2, cache_creation_1h_input_tokens: 3 },
      { inconsistent: 1 },
    ],
    [
      'with tokens kept for an hour of which the whole is unknown',
      { cache_creation_1h_input_tokens: 10 },
      { inconsistent: 0 },
    ],
    [
      'with more tokens kept for an hour than tokens',
      { cache_creation_1h_input_tokens: 11 },
      { inconsistent: 1 },
    ],
    ['with a part of an unknown number', { input_tokens: null, audio_input_tokens: 3 }, { inconsistent: 0 }],
    [
      'with more images and more audio than tokens',
      { image_input_tokens: 20, audio_output_tokens: 20 },
      { inconsistent: 1 },
    ],
  ])('%s', ([, fields, expected]) => {
    expect(added({ ...PLAIN, ...fields }).sums).toMatchObject(expected)
  })
})

test('counters of both currencies never fall: what a price takes back is counted as corrected', () => {
  const before = { ...PLAIN, cost_usd: 2.5, cost_sats: null }
  const { counters } = collected((sums) => sums.reprice(before, { cost_usd: 1.75, cost_sats: 3 }, false))
  expect(counters).toMatchObject({ cost_usd: 0, cost_nanousd: 0, cost_sats: 3, unpriced: 0, requests: 0 })
  expect(counters.corrected).toMatchObject({
    cost_usd: 1,
    cost_nanousd: -250_000_000,
    cost_sats: 0,
    unpriced: 1,
  })
})

test('a request that was counted without its attempt is a retry once it is repriced', () => {
  const retry = { ...PLAIN, attempt: 1 }
  const { sums } = collected((sums) => sums.reprice(retry, retry, true))
  expect(Object.entries(sums).filter(([, change]) => change !== 0)).toEqual([['retries', 1]])
})

test('a correction changes the sums to those of the corrected request, and removing it leaves nothing', () => {
  fc.assert(
    fc.property(request, outcome, (before, change) => {
      const after = { ...before, ...change }
      const corrected = collected((sums) => {
        sums.add(before, before, true)
        sums.correct(before, after, true)
      })
      const whole = added(after)
      expect(corrected.sums).toEqual(whole.sums)
      for (const name of CORRECTABLE) {
        const net = ({ counters }: typeof whole) => counters[name] - counters.corrected[name]
        expect(net(corrected)).toBe(net(whole))
        if (!name.startsWith('cost_')) expect(corrected.counters[name]).toBeGreaterThanOrEqual(0)
      }
      const { sums } = collected((sums) => sums.remove(after, after))
      for (const name of SUMS) expect(sums[name] + whole.sums[name]).toBe(0)
    }),
  )
})

test('a new price changes sums and counters as a completion does that brings the same costs', () => {
  fc.assert(
    fc.property(request, cost, cost, (before, cost_sats, cost_usd) => {
      const repriced = collected((sums) => sums.reprice(before, { cost_sats, cost_usd }, false))
      const completed = collected((sums) => sums.correct(before, { ...before, cost_sats, cost_usd }, true))
      expect(repriced).toEqual(completed)
    }),
  )
})

test('SQL sums rows to what the fold sums them to', () => {
  const path = temporaryPath()
  putEmptyDatabase(path)
  const database = openDatabase(path)
  const columns = Object.keys({ ...PLAIN, ...fc.sample(request, 1)[0] })
  const insert = database.prepare(
    `INSERT INTO requests (correlation_id, ${columns.join(', ')}) VALUES ('x', ${columns.map((name) => `@${name}`).join(', ')})`,
  )
  const select = database
    .prepare<[], bigint[]>(`SELECT ${rowSums(SQLITE, ALL_SUMS)} FROM requests`)
    .raw()
    .safeIntegers()
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 20 }), (requests) => {
      database.exec('DELETE FROM requests')
      for (const { success, streaming, ...row } of requests) {
        insert.run({ ...row, success: Number(success), streaming: Number(streaming) })
      }
      const tally = new Tally()
      tally.add(ALL_SUMS, select.get() ?? [], 1)
      const { sums } = collected((sums) => {
        for (const request of requests) sums.add(request, request, false)
      })
      expect(Object.fromEntries(ALL_SUMS.map((name) => [name, tally.sum(name)]))).toEqual(sums)
    }),
    runs(50),
  )
  database.close()
})

import { describe, expect } from 'vitest'
import { type StatsOptions, stats } from '../../../src/queries/sums/stats.js'
import { fill, insert, test } from '../support.js'

const ZERO = {
  counts: { total: 0, success: 0, error: 0, streaming: 0 },
  costs: { total_cost_sats: 0, total_input_tokens: 0, total_output_tokens: 0 },
  performance: { avg_latency_ms: 0 },
}

test('an empty database: zeros, empty and its message, over all time', ({ database }) => {
  expect(stats(database, { groupBy: 'model' })).toEqual({
    since: '0001-01-01T00:00:00.000Z',
    until: '9999-12-31T23:59:59.999Z',
    empty: true,
    message: 'No requests found in the specified time range',
    ...ZERO,
    models: {},
  })
})

test('sums what is known, 0 where nothing is; the mean covers failures and is not rounded', ({
  database,
}) => {
  insert(database, { input_tokens: 10, output_tokens: 5, cost_sats: 1.25, streaming: 1, latency_ms: 1 })
  insert(database, { input_tokens: null, cost_sats: 0.5, success: 0, latency_ms: 2 })
  const answer = stats(database)
  expect(answer.counts).toEqual({ total: 2, success: 1, error: 1, streaming: 1 })
  expect(answer.costs).toEqual({ total_cost_sats: 1.75, total_input_tokens: 10, total_output_tokens: 5 })
  expect(answer.performance).toEqual({ avg_latency_ms: 1.5 })
  expect(answer).not.toHaveProperty('empty')
  expect(answer).not.toHaveProperty('message')
  expect(answer).not.toHaveProperty('models')
})

test('sums of all-null columns are 0', ({ database }) => {
  insert(database)
  expect(stats(database).costs).toEqual(ZERO.costs)
})

test('a sum takes absurd values for its limits, from rows and from roll-ups alike', ({ database }) => {
  const tokens = 9_223_372_036_854_775_807n
  const absurd = { input_tokens: tokens, output_tokens: -tokens, cost_sats: 1e300, latency_ms: 2 ** 40 }
  insert(database, ...Array(1025).fill(absurd))
  for (const success of [undefined, true]) {
    const { costs, performance } = stats(database, { percentiles: true, success })
    const sum = 1025 * 1e12
    expect(costs).toEqual({ total_cost_sats: sum, total_input_tokens: sum, total_output_tokens: -sum })
    expect(performance.avg_latency_ms).toBe(2 ** 32 - 1)
    expect(Math.abs((performance.p50_latency_ms ?? 0) / 2 ** 32 - 1)).toBeLessThan(1 / 64)
  }
})

describe('groupBy model', () => {
  test('one key for all spellings by case, the one that came first', ({ database }) => {
    insert(database, { model: 'GPT-4o' })
    insert(database, { model: 'gpt-4o' })
    insert(database, { model: 'Gpt-4O' })
    insert(database, { model: 'other' })
    const { models } = stats(database, { groupBy: 'model' })
    expect(Object.keys(models ?? {})).toEqual(['GPT-4o', 'other'])
    expect(models?.['GPT-4o']?.counts.total).toBe(3)
  })

  test('a model that is quiet in the window is there with zeros, and the groups add up', ({ database }) => {
    insert(database, { model: 'quiet', timestamp: '2026-01-01T00:00:00.000Z' })
    insert(database, { model: 'busy', cost_sats: 2 })
    const answer = stats(database, { since: '2026-11-01T00:00:00.000Z', groupBy: 'model' })
    expect(answer.counts.total).toBe(1)
    expect(answer.models?.['quiet']).toEqual(ZERO)
    expect(answer.models?.['busy']?.costs.total_cost_sats).toBe(2)
  })

  test('with onlyMatching, groups by model and by tier are those of the requests that match, from roll-ups and from rows', ({
    database,
  }) => {
    insert(database, { model: 'quiet', timestamp: '2026-01-01T00:00:00.000Z' })
    insert(database, { model: 'busy', provider: 'p', labels: '{"tier":"local","team":"x"}' })
    insert(database, { model: 'other', provider: 'p' })
    const since = '2026-11-01T00:00:00.000Z'
    const models = (asked: StatsOptions) =>
      Object.keys(stats(database, { since, groupBy: 'model', onlyMatching: true, ...asked }).models ?? {})
    expect(models({})).toEqual(['busy', 'other'])
    expect(models({ model: 'BUSY' })).toEqual(['busy'])
    expect(models({ model: 'quiet' })).toEqual([])
    expect(models({ labels: { team: 'x' } })).toEqual(['busy'])
    const ofModel = { since, model: 'busy', onlyMatching: true }
    expect(Object.keys(stats(database, { ...ofModel, groupBy: 'tier' }).tiers ?? {})).toEqual(['local'])
    expect(stats(database, { ...ofModel, groupBy: 'model' }).counts.total).toBe(1)
  })

  test('a model named __proto__ is a model', ({ database }) => {
    insert(database, { model: '__proto__' })
    expect(JSON.stringify(stats(database, { groupBy: 'model' }).models)).toContain('"__proto__":{"counts"')
  })
})

test('both ends of the window are inclusive, and echoed', ({ database }) => {
  for (const ms of ['000', '001', '002', '003']) insert(database, { timestamp: `2026-11-22T10:00:00.${ms}Z` })
  const window = { since: '2026-11-22T10:00:00.001Z', until: '2026-11-22T10:00:00.002Z' }
  expect(stats(database, window)).toMatchObject({ ...window, counts: { total: 2 } })
  expect(stats(database, { since: window.until, until: window.since })).toMatchObject({ empty: true })
})

describe('before', () => {
  test('ends a window without that instant, so that windows that follow one another have each request once', ({
    database,
  }) => {
    for (const time of ['24T23:59:59.000', '24T23:59:59.999', '25T00:00:00.000']) {
      insert(database, { timestamp: `2026-11-${time}Z` })
    }
    const midnight = '2026-11-25T00:00:00Z'
    expect(stats(database, { before: midnight })).toMatchObject({
      since: '0001-01-01T00:00:00.000Z',
      until: '2026-11-24T23:59:59.999Z',
      before: '2026-11-25T00:00:00.000Z',
      counts: { total: 2 },
    })
    expect(stats(database, { since: midnight }).counts.total).toBe(1)
  })

  test('and until together are refused', ({ database }) => {
    const both = { until: '2026-11-25T00:00:00Z', before: '2026-11-25T00:00:00Z' }
    expect(() => stats(database, both)).toThrow("Invalid window: 'until' and 'before' were both given")
  })
})

test('a bound with finer digits than rows have is exact, and echoed whole', ({ database }) => {
  for (const ms of ['000', '001', '002']) insert(database, { timestamp: `2026-11-22T10:00:00.${ms}Z` })
  const from = '2026-11-22T10:00:00.0005Z'
  const to = '2026-11-22T10:00:00.0015Z'
  expect(stats(database, { since: from, until: to })).toMatchObject({
    since: from,
    until: to,
    counts: { total: 1 },
  })
  expect(stats(database, { since: from, before: to })).toMatchObject({ before: to, counts: { total: 1 } })
  expect(stats(database, { before: from }).counts.total).toBe(1)
})

test('all time has rows whose timestamp is none', ({ database }) => {
  insert(database, { timestamp: 'yesterday' })
  expect(stats(database).counts.total).toBe(1)
})

describe('without being asked', () => {
  test('the body has exactly its fields', ({ database }) => {
    insert(database)
    expect(stats(database)).toStrictEqual({
      since: '0001-01-01T00:00:00.000Z',
      until: '9999-12-31T23:59:59.999Z',
      counts: { total: 1, success: 1, error: 0, streaming: 0 },
      costs: { total_cost_sats: 0, total_input_tokens: 0, total_output_tokens: 0 },
      performance: { avg_latency_ms: 100 },
    })
  })
})

test('percentiles and unpriced are in every section when asked for; null for no requests', ({ database }) => {
  insert(database, { cost_sats: 1, latency_ms: 10 }, { latency_ms: 20 }, { latency_ms: 30 })
  const answer = stats(database, { percentiles: true, unpriced: true, groupBy: 'tier' })
  const performance = { p50_latency_ms: 20, p95_latency_ms: 30, p99_latency_ms: 30 }
  expect(answer).toMatchObject({ counts: { unpriced: 2 }, performance })
  expect(answer.tiers?.['unknown']).toMatchObject({ counts: { unpriced: 2 }, performance })
  expect(answer.tiers?.['local']).toMatchObject({
    counts: { unpriced: 0 },
    performance: { avg_latency_ms: 0, p50_latency_ms: null, p95_latency_ms: null, p99_latency_ms: null },
  })
})

test('a group that is really named unknown is told apart from the requests without a name', ({
  database,
}) => {
  const unknown = '{"team":"unknown","tier":"unknown"}'
  insert(database, { labels: unknown, cost_sats: 1 }, {}, {})
  const groupsOf = (limit?: number) => stats(database, { groupBy: 'label:team', limit })
  const { labels, unknown_group } = groupsOf()
  expect(unknown_group).toBe('(unknown)')
  expect(Object.entries(labels ?? {}).map(([name, { counts }]) => [name, counts.total])).toEqual([
    ['unknown', 1],
    ['(unknown)', 2],
  ])
  // Without the other one it has its usual name, also if that one is in the rest.
  expect(groupsOf(1)).toMatchObject({
    unknown_group: 'unknown',
    labels: { unknown: { counts: { total: 2 } } },
  })
  expect(stats(database, { groupBy: 'policy' })).toMatchObject({ unknown_group: 'unknown' })
  const named = stats(database, { groupBy: 'label:team', labels: { team: 'unknown' } })
  expect(named).not.toHaveProperty('unknown_group')
  // The contract knows one group for both.
  const byTier = stats(database, { groupBy: 'tier' })
  expect(byTier.tiers?.['unknown']?.counts.total).toBe(3)
  expect(byTier).not.toHaveProperty('unknown_group')
  expect(stats(database, { withoutLabel: 'team' }).counts.total).toBe(2)
  expect(stats(database, { labels: { '': 'x' } }).counts.total).toBe(0)
  expect(() => stats(database, { withoutLabel: 'team', labels: { team: 'x' } })).toThrow(
    "Invalid filter: label 'team' together with without_label, which no request can match",
  )
})

describe('groupBy tier', () => {
  test('the three tiers are always there, unknown only with requests, others as they come', ({
    database,
  }) => {
    expect(Object.keys(stats(database, { groupBy: 'tier' }).tiers ?? {})).toEqual([
      'local',
      'standard',
      'frontier',
    ])
    insert(database, {}, { labels: '{"tier":"edge"}' }, { labels: '{"tier":"standard"}' })
    const { tiers } = stats(database, { groupBy: 'tier' })
    expect(Object.keys(tiers ?? {})).toEqual(['local', 'standard', 'frontier', 'edge', 'unknown'])
    expect(tiers?.['standard']?.counts.total).toBe(1)
  })

  test('both filters apply', ({ database }) => {
    const labels = '{"tier":"local"}'
    insert(
      database,
      { labels, provider: 'p' },
      { labels, provider: 'q' },
      { labels, model: 'o3', provider: 'p' },
    )
    const { tiers } = stats(database, { groupBy: 'tier', model: 'GPT-4O', provider: 'P' })
    expect(tiers?.['local']?.counts.total).toBe(1)
  })
})

test('group_by=model: the provider filter applies, the model filter only to the whole', ({ database }) => {
  insert(database, { provider: 'p' }, { model: 'o3', provider: 'p' }, { model: 'o3', provider: 'q' })
  const answer = stats(database, { groupBy: 'model', model: 'O3', provider: 'p' })
  expect(answer.counts.total).toBe(1)
  expect(answer.models?.['gpt-4o']?.counts.total).toBe(1)
  expect(answer.models?.['o3']?.counts.total).toBe(1)
})

test('hours and days by their beginning; what is no timestamp as it is', ({ database }) => {
  insert(database, {}, { timestamp: '2026-11-22T09:59:59.999Z' }, { timestamp: 'yesterday' })
  expect(Object.keys(stats(database, { groupBy: 'hour' }).hours ?? {})).toEqual([
    '2026-11-22T09:00:00.000Z',
    '2026-11-22T10:00:00.000Z',
    'yesterday',
  ])
  expect(Object.keys(stats(database, { groupBy: 'day' }).days ?? {})).toEqual(['2026-11-22', 'yesterday'])
})

test('any spelling of a known name, at any time, is known; nothing else is', ({ database }) => {
  insert(database, { timestamp: '2020-01-01T00:00:00.000Z', provider: 'Azure%' })
  const since = '2026-01-01T00:00:00Z'
  expect(stats(database, { since, model: 'GPT-4O', provider: 'AZURE%' })).toMatchObject({ empty: true })
  for (const model of ['gpt', 'gpt-4%', '', 'gpt-4o ', 'ĞPT-4o']) {
    expect(() => stats(database, { model })).toThrow(
      expect.objectContaining({ code: 'MODEL_NOT_FOUND', message: `Model '${model}' not found` }),
    )
  }
  expect(() => stats(database, { provider: 'azure_' })).toThrow("Provider 'azure_' not found")
})

test('the first thing that is wrong is what is said', ({ database }) => {
  insert(database, { provider: 'p' })
  const wrong = { since: 'x', until: 'y', model: 'm', provider: 'q', groupBy: 'z' as 'model' }
  const known = { since: undefined, until: undefined, model: 'gpt-4o', provider: 'p' }
  const codes = [
    'INVALID_SINCE',
    'INVALID_UNTIL',
    'MODEL_NOT_FOUND',
    'PROVIDER_NOT_FOUND',
    'INVALID_GROUP_BY',
  ]
  const names = ['since', 'until', 'model', 'provider'] as const
  for (const [right, code] of codes.entries()) {
    const options = {
      ...wrong,
      ...Object.fromEntries(names.slice(0, right).map((name) => [name, known[name]])),
    }
    expect(() => stats(database, options)).toThrow(expect.objectContaining({ code }))
  }
  expect(() => stats(database, { groupBy: 'label:' })).toThrow(
    "Invalid group_by value. Supported: 'model', 'tier', 'provider', 'policy', 'service_tier', 'error_status', 'journal', 'hour', 'day', 'label:<name>'",
  )
  for (const [asked, meant] of [
    ['team', "'label:team'"],
    ['models', "'model' or 'label:models'"],
  ] as const) {
    expect(() => stats(database, { groupBy: asked as 'model' })).toThrow(
      `'label:<name>'; did you mean ${meant}?`,
    )
  }
})

test('bounds with an offset are the instants that they mean', ({ database }) => {
  insert(database)
  const window = { since: '2026-11-22T12:00:00+02:00', until: '2026-11-22t10:00:00z' }
  const instant = '2026-11-22T10:00:00.000Z'
  expect(stats(database, window)).toMatchObject({ since: instant, until: instant, counts: { total: 1 } })
})

describe('a question about at most one of model, provider, policy and label', () => {
  const rows = [
    { model: 'a', provider: 'p', policy: 'chat', labels: '{"tier":"local"}' },
    { model: 'b', provider: null, policy: null, success: 0, timestamp: '2026-11-23T11:00:00.000Z' },
    { model: 'A', provider: '', policy: 'chat', labels: '{"tier":""}', streaming: 1 },
  ]
  const asked: Parameters<typeof stats>[1][] = [
    {},
    { model: 'a', groupBy: 'model' },
    { provider: '', groupBy: 'provider' },
    { policy: 'chat', groupBy: 'policy' },
    { labels: { tier: 'local' }, groupBy: 'tier' },
    { labels: { tier: '' }, groupBy: 'day' },
    { groupBy: 'hour' },
    { groupBy: 'day' },
  ]

  test.for(asked)('%j needs no roll-ups but totals', (options, { database }) => {
    fill(database, rows)
    const answer = stats(database, { ...options, percentiles: true })
    expect(answer.counts.total).toBeGreaterThan(0)
    database.exec('DELETE FROM rollups; DELETE FROM rollup_latencies')
    expect(stats(database, { ...options, percentiles: true })).toEqual(answer)
  })

  test('two of them, or one hour by hour, need those of dimensions', ({ database }) => {
    fill(database, rows)
    database.exec('DELETE FROM rollup_totals; DELETE FROM rollup_total_latencies')
    expect(stats(database, { model: 'a', groupBy: 'provider' }).providers).toMatchObject({
      '': { counts: { total: 1 } },
      p: { counts: { total: 1 } },
    })
    expect(stats(database, { model: 'b', groupBy: 'hour' }).hours).toMatchObject({
      '2026-11-23T11:00:00.000Z': { counts: { total: 1 } },
    })
  })
})

import { describe, expect, test } from 'vitest'
import { LATENCY_BOUNDS_MS } from '../../../src/folds/sums/counters.js'
import type { RequestCounters } from '../../../src/queries/sums/counters.js'
import { renderMetrics } from '../../../src/server/metrics/render-metrics.js'
import { parseExposition, seriesKey } from './exposition-parser.js'
import { counter, journalReport, metricsInput } from './metrics-input.js'
import { hasPromtool, promtool } from './promtool.js'

function samplesOf(...input: Parameters<typeof metricsInput>): Map<string, number> {
  return parseExposition(renderMetrics(metricsInput(...input))).samples
}

const gpt = { model: 'gpt-4o', provider: 'east', policy: 'unknown' }
const other = { model: 'other', provider: 'other', policy: 'other' }

describe('counters of requests', () => {
  const counted = counter({
    requests: 7n,
    failures: 2n,
    unpriced: 3n,
    input_tokens: 400n,
    output_tokens: 50n,
    cost_nanosats: 15_500_000_001n,
    corrected_failures: 1n,
    corrected_unpriced: 4n,
    corrected_input_tokens: 5n,
    corrected_output_tokens: 6n,
    corrected_cost_nanosats: 250_000_000n,
    ...{ unpriced_usd: 8n, cost_nanousd: 1_000_000_020n, cache_read_input_tokens: 31n },
    ...{ cache_creation_input_tokens: 32n, reasoning_output_tokens: 33n },
    ...{ corrected_unpriced_usd: 9n, corrected_cost_nanousd: 500_000_000n },
    ...{ corrected_cache_read_input_tokens: 34n, corrected_cache_creation_input_tokens: 35n },
    corrected_reasoning_output_tokens: 36n,
  })

  test.each([
    ['requests_total', 7],
    ['request_failures_total', 2],
    ['unpriced_requests_total', 3],
    ['input_tokens_total', 400],
    ['output_tokens_total', 50],
    ['cost_sats_total', 15.500000001],
    ['corrected_request_failures_total', 1],
    ['corrected_unpriced_requests_total', 4],
    ['unpriced_usd_requests_total', 8],
    ['cost_usd_total', 1.00000002],
    ['cache_read_input_tokens_total', 31],
    ['cache_creation_input_tokens_total', 32],
    ['reasoning_output_tokens_total', 33],
    ['corrected_unpriced_usd_requests_total', 9],
    ['corrected_cost_usd_total', 0.5],
    ['corrected_cache_read_input_tokens_total', 34],
    ['corrected_cache_creation_input_tokens_total', 35],
    ['corrected_reasoning_output_tokens_total', 36],
    ['corrected_input_tokens_total', 5],
    ['corrected_output_tokens_total', 6],
    ['corrected_cost_sats_total', 0.25],
  ])('%s', (name, value) => {
    const page = parseExposition(renderMetrics(metricsInput({ requests: only(counted) })))
    expect(page.samples.get(seriesKey(`request_journal_${name}`, gpt))).toBe(value)
    expect(page.families.get(`request_journal_${name}`)?.type).toBe('counter')
  })

  test('a cost keeps all its digits', () => {
    const cost_nanosats = 9_007_199_254_740_993_123_456_789n
    const page = renderMetrics(metricsInput({ requests: only(counter({ cost_nanosats })) }))
    expect(page).toContain(
      'request_journal_cost_sats_total{model="gpt-4o",provider="east",policy="unknown"} 9007199254740993.123456789\n',
    )
  })

  test('before the first request there are no counters, and the page is still valid', () => {
    const page = parseExposition(
      renderMetrics(metricsInput({ requests: { combinations: [], others: null } })),
    )
    expect(page.families.has('request_journal_requests_total')).toBe(false)
    expect(page.samples.get('request_journal_projector_up')).toBe(1)
  })
})

describe('series', () => {
  const requests = (model: string, provider: string | null, policy: string | null, count: bigint) =>
    counter({ model, provider, policy, requests: count })
  const total = (labels: Record<string, string>) => seriesKey('request_journal_requests_total', labels)

  test('without provider or policy', () => {
    expect(
      samplesOf({ requests: only(requests('m', null, null, 1n)) }).get(
        total({ ...gpt, model: 'm', provider: 'unknown' }),
      ),
    ).toBe(1)
  })

  test('all combinations over the limit become one series', () => {
    const others = counter({ requests: 5n, latencies: LATENCY_BOUNDS_MS.map(() => 0n) })
    const samples = samplesOf({ requests: { combinations: [counter({ requests: 2n })], others } })
    expect(samples.get(total(gpt))).toBe(2)
    expect(samples.get(total(other))).toBe(5)
    const { policy: _, ...labels } = other
    expect(samples.get(seriesKey('request_journal_request_latency_seconds_count', labels))).toBe(5)
  })

  test('a model named like the rest is counted with it', () => {
    const named = requests('other', 'other', 'other', 1n)
    expect(
      samplesOf({ requests: { combinations: [named], others: counter({ requests: 5n }) } }).get(total(other)),
    ).toBe(6)
    const none = [
      requests('m', 'unknown', 'unknown', 1n),
      requests('m', null, 'unknown', 2n),
      requests('m', null, null, 4n),
    ]
    expect(
      samplesOf({ requests: { combinations: none, others: null } }).get(
        total({ ...gpt, model: 'm', provider: 'unknown' }),
      ),
    ).toBe(7)
  })

  test('long names are cut at 100 characters, and those that are then alike are one series', () => {
    const long = 'x'.repeat(100)
    const combinations = [requests(`${long}a`, 'east', null, 1n), requests(`${long}b`, 'east', null, 2n)]
    const samples = samplesOf({ requests: { combinations, others: null } })
    expect(samples.get(total({ ...gpt, model: long }))).toBe(3)
    const crabs = samplesOf({ requests: only(requests('🦀'.repeat(101), 'east', null, 1n)) })
    expect(crabs.get(total({ ...gpt, model: '🦀'.repeat(100) }))).toBe(1)
  })

  test('names that a shell, a page or a regular expression would trip over come back as they were', () => {
    for (const name of ['a"b', 'a\\b', 'a\nb', '}', '# TYPE', '__proto__', 'toString', '']) {
      const samples = samplesOf({ requests: only(requests(name, name, name, 1n)) })
      expect(samples.get(total({ model: name, provider: name, policy: name })), name).toBe(1)
    }
  })
})

describe('latencies', () => {
  const name = 'request_journal_request_latency_seconds'
  const slow = {
    requests: 4n,
    latency_ms: 400_123n,
    latencies: [1n, 0n, 2n, 0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n],
  }

  test('buckets are in seconds, and each includes those before it; slower requests are only in +Inf', () => {
    const samples = samplesOf({ requests: only(counter(slow)) })
    const buckets = [...samples].filter(([key]) => key.startsWith(`${name}_bucket`))
    expect(buckets.map(([key, value]) => [JSON.parse(key.slice(name.length + 7)).le, value])).toEqual([
      ['0.05', 1],
      ['0.1', 1],
      ['0.25', 3],
      ['0.5', 3],
      ['1', 3],
      ['2.5', 3],
      ['5', 3],
      ['10', 3],
      ['30', 3],
      ['60', 3],
      ['120', 3],
      ['300', 3],
      ['+Inf', 4],
    ])
    expect(samples.get(seriesKey(`${name}_sum`, { model: 'gpt-4o', provider: 'east' }))).toBe(400.123)
    expect(samples.get(seriesKey(`${name}_count`, { model: 'gpt-4o', provider: 'east' }))).toBe(4)
  })

  test('all policies of one model and provider share a histogram', () => {
    const combinations = [counter(slow), counter({ ...slow, policy: 'cheap' })]
    const samples = samplesOf({ requests: { combinations, others: null } })
    expect(samples.get(seriesKey(`${name}_count`, { model: 'gpt-4o', provider: 'east' }))).toBe(8)
  })
})

describe('journal, projection and database', () => {
  test.each([
    ['projection_lag_seconds', 12.3],
    ['projection_lag_bytes', 4567],
    ['journal_bytes', 89_000],
    ['segments', 9],
    ['distrusted_segments', 1],
    ['journal_problems', 2],
    ['requests_to_reprice', 7],
    ['journal_readable', 1],
    ['projector_up', 0],
    ['projected_events', 1000],
    ['rejected_lines', 3],
    ['late_lines', 4],
    ['unchecked_lines', 5],
    ['held_completions', 6],
    ['database_bytes', 700],
    ['wal_bytes', 800],
  ])('%s', (name, value) => {
    const page = parseExposition(
      renderMetrics(
        metricsInput(
          {},
          {
            journal: journalReport({
              lag_seconds: 12.3,
              lag_bytes: 4567,
              problems: ['one', 'two'],
              segments: [{ bytes: 88_000, distrusted: true }, ...Array(8).fill({ bytes: 125 })],
              toReprice: 7,
            }),
            isProjectorUp: false,
            counts: { events: 1000, rejected_lines: 3, late: 4, unchecked: 5, held: 6 },
            databaseBytes: 700,
            walBytes: 800,
          },
        ),
      ),
    )
    expect(page.samples.get(`request_journal_${name}`)).toBe(value)
    expect(page.families.get(`request_journal_${name}`)?.type).toBe('gauge')
  })

  test("a journal that can't be read has no gauges but the one that says so", () => {
    const samples = samplesOf({}, { journal: null })
    expect(samples.get('request_journal_journal_readable')).toBe(0)
    expect([...samples.keys()].filter((key) => /lag|journal_bytes|segments|problems/.test(key))).toEqual([])
    expect(samples.get(seriesKey('request_journal_requests_total', gpt))).toBe(1)
  })

  test('the version', () => {
    expect(samplesOf().get(seriesKey('request_journal_build_info', { version: '1.2.3' }))).toBe(1)
  })
})

test('the input may be sent between threads', () => {
  const input = metricsInput({ requests: { combinations: [counter({ requests: 2n })], others: counter() } })
  expect(renderMetrics(structuredClone(input))).toBe(renderMetrics(input))
})

test.skipIf(!hasPromtool)('promtool has nothing to say about a page', () => {
  const combinations = ['a"b', 'a\\b', 'a\nb', '🦀'].map((model) => counter({ model, requests: 1n }))
  const page = renderMetrics(metricsInput({ requests: { combinations, others: counter({ requests: 9n }) } }))
  expect(promtool(['check', 'metrics'], page)).toEqual({ status: 0, output: '' })
})

function only(combination: ReturnType<typeof counter>): RequestCounters {
  return { combinations: [combination], others: null }
}

import fc from 'fast-check'
import type { RequestFilter } from '../../src/queries/index.js'
import { NOW, type ReferenceRow } from './reference.js'

/** Instants at and around the borders of hours and days, and anywhere. */
const instant = fc
  .tuple(
    fc.constantFrom(20, 21, 22, 23),
    fc.constantFrom(0, 1, 9, 12, 22, 23),
    fc.constantFrom(0, 0, 1, 29, 30, 31, 59),
    fc.constantFrom(0, 30, 59),
    fc.constantFrom(0, 1, 999),
  )
  .map(([day, hour, minute, second, ms]) =>
    new Date(Date.UTC(2026, 10, day, hour, minute, second, ms)).toISOString(),
  )

/** Some rows from before the journal have no timestamp there. */
const timestamp = fc.oneof(
  { weight: 20, arbitrary: instant },
  fc.constantFrom('yesterday', '', '2026-11-22', '2026-11-22T09', '2026-11-22T09:99', '2026-11-21 10:00'),
)

/** Longer than what the totals hold in their keys. */
const LONG = `Gpt-${'ä'.repeat(70)}`

const row = fc.record({
  correlation_id: fc.constantFrom('c1', 'c2', 'c3'),
  timestamp,
  model: fc.constantFrom('gpt-4o', 'GPT-4o', 'o3', '__proto__', 'Ä', 'ä', LONG, LONG.replace('G', 'g')),
  provider: fc.constantFrom(null, 'azure', 'Azure', '', LONG),
  policy: fc.constantFrom(null, 'chat', 'Chat', LONG),
  streaming: fc.constantFrom(0, 1, 2),
  success: fc.constantFrom(0, 1, 7),
  input_tokens: fc.option(fc.nat(1_000_000), { nil: null }),
  output_tokens: fc.option(fc.nat(1_000_000), { nil: null }),
  cache_read_input_tokens: fc.option(fc.nat(1_000_000), { nil: null }),
  cache_creation_input_tokens: fc.constantFrom(null, null, 0, 7),
  reasoning_output_tokens: fc.option(fc.nat(1_000_000), { nil: null }),
  cost_sats: fc.option(
    fc.oneof(
      fc.double({ noNaN: true, min: -1e3, max: 1e6 }),
      fc.constantFrom(0.1, 0.2, 0.3, 5e-10, -0.5, 1e18),
    ),
    { nil: null },
  ),
  cost_usd: fc.constantFrom(null, 0, 0.05, 0.1, 2),
  latency_ms: fc.oneof(fc.nat(200), fc.nat(100_000)),
  attempt: fc.constantFrom(null, 0, 1, 2),
  service_tier: fc.constantFrom(null, 'flex', 'Flex', LONG),
  error_status: fc.constantFrom(null, null, 0, 399, 400, 404, 499, 500, 1404, -404),
  error_message: fc.constantFrom(null, '', 'Timed out', 'RATE 50% à_b', 'à'),
  stream_duration_ms: fc.constantFrom(null, null, null, 0),
  completed_segment_id: fc.constantFrom(null, null, null, 20261122001),
  labels: fc.constantFrom(
    null,
    '{}',
    '{"tier":"local"}',
    '{"tier":"Frontier","team":"a\\"b"}',
    '{"te\\"am":"x","team":"y"}',
    `{"tier":"${LONG}"}`,
    '{"tier":7}',
    'no JSON',
    '["tier"]',
  ),
})

/** Rows in the order of their ids. */
export const rows: fc.Arbitrary<ReferenceRow[]> = fc
  .array(row, { maxLength: 60, size: 'max' })
  .map((drawn) => drawn.map((columns, index) => ({ id: index + 1, ...columns })))

/** @param missing how often it isn't given, for once that it is. */
const optional = <T>(arbitrary: fc.Arbitrary<T>, missing: number) =>
  fc.oneof({ weight: missing, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })

/** Names that some row nearly always has: whoever draws one that none has asks for an error. */
export const filter: fc.Arbitrary<RequestFilter> = fc
  .record({
    since: fc.option(instant, { nil: undefined, freq: 3 }),
    until: fc.option(instant, { nil: undefined, freq: 3 }),
    before: fc.option(instant, { nil: undefined, freq: 1 }),
    model: optional(fc.constantFrom('GPT-4O', 'o3', 'ä', LONG.replace('pt', 'PT')), 10),
    provider: optional(fc.constantFrom('AZURE', 'azure', '', LONG.replace('pt', 'PT')), 10),
    policy: optional(fc.constantFrom('chat', 'none', LONG), 10),
    withoutProvider: optional(fc.boolean(), 10),
    withoutPolicy: optional(fc.boolean(), 10),
    withoutLabel: optional(fc.constantFrom('tier', 'team', 'te"am'), 10),
    labels: optional(
      fc.constantFrom<Record<string, string>>(
        { tier: 'local' },
        { team: 'a"b' },
        { tier: LONG },
        { tier: 'Frontier', team: 'a"b' },
        { 'te"am': 'x' },
      ),
      10,
    ),
    correlationId: optional(fc.constantFrom('c1', 'c9'), 15),
    success: optional(fc.boolean(), 4),
    streaming: optional(fc.boolean(), 4),
    open: optional(fc.boolean(), 15),
    unfinished: optional(fc.boolean(), 15),
    errorStatus: optional(fc.constantFrom<RequestFilter['errorStatus']>('none', 404, '4xx', '500'), 15),
    errorMessage: optional(fc.constantFrom('TIMED', '%', '_', 'à', 'out '), 15),
    minLatency: optional(fc.constantFrom<RequestFilter['minLatency']>(0, 100, '5000'), 15),
    minCost: optional(fc.constantFrom<RequestFilter['minCost']>(0, '0.1sats', '0.05usd', 1000), 15),
    currency: fc.constantFrom(undefined, 'sats' as const, 'usd' as const),
    unpricedIn: optional(fc.constantFrom<RequestFilter['unpricedIn']>('sats', 'usd', 'both'), 15),
    attempt: optional(fc.constantFrom<RequestFilter['attempt']>(0, '1'), 15),
    serviceTier: optional(fc.constantFrom('flex', LONG), 15),
    now: fc.constant(NOW),
  })
  // What such an amount means without a currency depends on other rows, and is tested elsewhere.
  .filter(({ minCost, currency }) => typeof minCost !== 'number' || currency !== undefined)
  .filter(({ provider, withoutProvider }) => provider === undefined || !withoutProvider)
  .filter(({ until, before }) => until === undefined || before === undefined)
  .filter(({ labels = {}, withoutLabel }) => withoutLabel === undefined || !(withoutLabel in labels))
  .filter(({ policy, withoutPolicy }) => policy === undefined || !withoutPolicy)

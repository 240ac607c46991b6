import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type EventInput, openJournal } from '../../src/index.js'
import { verify } from '../../src/maintenance/index.js'
import { projectOnce, replay } from '../../src/projection/index.js'
import { runs } from '../support/runs.js'

const MODELS = ['gpt', 'gpt-2026', 'claude'] as const
const hour = fc
  .integer({ min: 0, max: 60 })
  .map((hours) => new Date(Date.UTC(2026, 10, 22, hours)).toISOString())
const cost = fc.option(
  fc.integer({ min: -5_000, max: 50_000 }).map((millis) => millis / 1000),
  { nil: null, freq: 2 },
)
const tokens = fc.option(fc.nat(2_000), { nil: null })
const part = fc.option(fc.nat(900), { nil: null })
const tier = fc.constantFrom(null, 'default', 'flex')
const usage = fc.record({
  input_tokens: tokens,
  output_tokens: tokens,
  cache_read_input_tokens: part,
  cache_creation_input_tokens: part,
  cache_creation_1h_input_tokens: part,
  audio_output_tokens: part,
  reasoning_output_tokens: part,
  response_model: fc.constantFrom(null, null, 'gpt-2026'),
  service_tier: tier,
  cost_sats: cost,
  cost_usd: cost,
  provider_cost_sats: cost,
  provider_cost_usd: cost,
  success: fc.boolean(),
  error_status: fc.constant(null),
  error_message: fc.constant(null),
})
const id = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const request = fc
  .record({
    correlation_id: id,
    timestamp: hour,
    model: fc.constantFrom(...MODELS),
    provider: fc.constantFrom(null, 'p'),
    streaming: fc.boolean(),
    attempt: fc.constantFrom(null, 0, 1),
    usage,
  })
  .map(({ usage: outcome, ...fields }): EventInput => ({ ...fields, ...outcome, latency_ms: 5 }))
const completion = fc
  .record({ correlation_id: id, timestamp: hour, attempt: fc.constantFrom(null, 1), usage })
  .map(
    ({ usage: outcome, ...fields }): EventInput => ({
      type: 'stream_completed',
      stream_duration_ms: 1,
      ...fields,
      ...outcome,
    }),
  )
const decimal = fc.integer({ min: 0, max: 30_000_000 }).map((micros) => (micros / 1e6).toFixed(6))
const price = fc
  .record({
    provider: fc.constantFrom(null, 'p'),
    model: fc.constantFrom(...MODELS),
    valid_from: hour,
    currency: fc.constantFrom('usd' as const, 'sats' as const),
    per_million: fc.option(
      fc.record(
        {
          input: decimal,
          output: decimal,
          cache_read_input: decimal,
          cache_creation_input: decimal,
          cache_creation_1h_input: decimal,
          reasoning_output: decimal,
        },
        { requiredKeys: [] },
      ),
      { nil: null, freq: 4 },
    ),
    per_request: fc.option(decimal, { nil: null, freq: 1 }),
    service_tier: fc.constantFrom(null, null, 'flex'),
    min_input_tokens: fc.constantFrom(null, null, 1000),
  })
  .map((fields): EventInput => ({ type: 'price_set', ...fields }))
const rate = fc
  .record({
    observed_at: hour,
    usd_per_btc: fc.integer({ min: 1, max: 9_000_000 }).map((cents) => (cents / 100).toFixed(2)),
  })
  .map((fields): EventInput => ({ type: 'exchange_rate_observed', ...fields }))
const step = fc.oneof(
  { weight: 5, arbitrary: request },
  { weight: 3, arbitrary: completion },
  { weight: 3, arbitrary: price },
  { weight: 2, arbitrary: rate },
  { weight: 2, arbitrary: fc.constant('project' as const) },
)

const TABLES = [
  'requests',
  'prices',
  'exchange_rates',
  'rollups',
  'rollup_totals',
  'held_completions',
  'token_ratios',
  'repricing',
]

test('any order of requests, completions, prices and rates gives what a replay and a model give', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 30 }), async (steps) => {
      const directory = mkdtempSync(join(tmpdir(), 'repricing-'))
      try {
        const journal = openJournal({ directory })
        const live = { journal: directory, database: join(directory, 'live.db') }
        for (const given of steps) {
          if (given === 'project') await projectOnce(live)
          else journal.append(given)
        }
        await journal.close()
        await projectOnce(live)
        const counters = rowsOf(live.database, 'request_counters')
        const projected = tables(live.database)
        expectCosts(directory, live.database)
        const atOnce = { journal: directory, database: join(directory, 'at-once.db') }
        await projectOnce(atOnce)
        expect(tables(atOnce.database)).toEqual(projected)
        const fresh = { journal: directory, database: join(directory, 'fresh.db') }
        await replay(fresh)
        expect(tables(fresh.database)).toEqual(projected)
        expect((await verify(live)).problems).toEqual([])
        await replay(live)
        expect(tables(live.database)).toEqual(projected)
        expect(rowsOf(live.database, 'request_counters')).toEqual(counters)
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    }),
    runs(12),
  )
})

function rowsOf(path: string, table: string): Record<string, unknown>[] {
  const database = new SQLite(path, { readonly: true })
  try {
    return database.prepare<[], Record<string, unknown>>(`SELECT * FROM ${table} ORDER BY 1, 2, 3`).all()
  } finally {
    database.close()
  }
}

function tables(path: string): unknown {
  return Object.fromEntries(TABLES.map((table) => [table, rowsOf(path, table)]))
}

type Line = Record<string, unknown> & { at: string }

/** Prices each row from the set of all events, the slow way. */
function expectCosts(directory: string, path: string): void {
  const lines: Line[] = []
  for (const name of readdirSync(directory).filter((file) => file.endsWith('.ndjson'))) {
    let offset = 0
    for (const text of readFileSync(join(directory, name), 'utf8').split('\n')) {
      if (text !== '') lines.push({ ...JSON.parse(text), at: String(offset) })
      offset += Buffer.byteLength(text) + 1
    }
  }
  for (const row of rowsOf(path, 'requests')) {
    const said = lines.find(({ at }) => at === String(row['completed_byte_offset'] ?? row['byte_offset']))
    const found = { cost_sats: row['cost_sats'], cost_usd: row['cost_usd'], cost_source: row['cost_source'] }
    expect(found).toEqual(costOf({ ...row, said: said ?? { at: '' } }, lines))
  }
}

interface Fraction {
  top: bigint
  bottom: bigint
}

function costOf(row: Record<string, unknown> & { said: Line }, lines: readonly Line[]) {
  const { said } = row
  const sources = [
    ['logged', said['cost_sats'] ?? null, said['cost_usd'] ?? null],
    ['provider', said['provider_cost_sats'] ?? null, said['provider_cost_usd'] ?? null],
  ] as [string, number | null, number | null][]
  const timestamp = String(row['timestamp'])
  const given = sources.find(([, sats, usd]) => sats !== null || usd !== null)
  if (given !== undefined) {
    const [cost_source, sats, usd] = given
    return {
      cost_sats: sats ?? other('usd', fraction(String(usd)), timestamp, lines),
      cost_usd: usd ?? other('sats', fraction(String(sats)), timestamp, lines),
      cost_source,
    }
  }
  const unpriced = { cost_sats: null, cost_usd: null, cost_source: null }
  for (const model of [row['response_model'], row['model']].filter((name) => name !== null)) {
    const inForce = priceInForce(
      row,
      lines.filter((line) => line['type'] === 'price_set' && line['model'] === model),
    )
    if (inForce === undefined) continue
    const amount = amountOf(row, inForce)
    if (amount === null) return unpriced
    const currency = inForce['currency'] as 'sats' | 'usd'
    const [own, converted] = [rounded(amount), other(currency, amount, timestamp, lines)]
    return currency === 'sats'
      ? { cost_sats: own, cost_usd: converted, cost_source: 'price_book' }
      : { cost_sats: converted, cost_usd: own, cost_source: 'price_book' }
  }
  return unpriced
}

function priceInForce(row: Record<string, unknown>, prices: readonly Line[]): Line | undefined {
  const inputTokens = row['input_tokens'] as number | null
  const met = prices.filter((line) => {
    const tierOfRow = (row['service_tier'] ?? null) as string | null
    const tierOfPrice = (line['service_tier'] ?? null) as string | null
    const isOfTier =
      tierOfPrice === null ? tierOfRow === null || tierOfRow === 'default' : tierOfPrice === tierOfRow
    const provider = line['provider'] ?? null
    const least = (line['min_input_tokens'] ?? null) as number | null
    const isReached = least === null || (inputTokens !== null && inputTokens >= least)
    return (
      isOfTier &&
      isReached &&
      (provider === null || provider === row['provider']) &&
      String(line['valid_from']) <= String(row['timestamp'])
    )
  })
  const later = (a: Line, b: Line) =>
    String(b['valid_from']).localeCompare(String(a['valid_from'])) || Number(b.at) - Number(a.at)
  const keys = new Map<string, Line>()
  for (const line of [...met].sort(later)) {
    const key = JSON.stringify([
      line['provider'] ?? null,
      line['service_tier'] ?? null,
      line['min_input_tokens'] ?? null,
    ])
    if (!keys.has(key)) keys.set(key, line)
  }
  const isPrice = (line: Line) =>
    Object.keys((line['per_million'] ?? {}) as object).length > 0 || (line['per_request'] ?? null) !== null
  const specific = (line: Line) => [
    Number(line['min_input_tokens'] ?? -1),
    (line['provider'] ?? null) === null ? 0 : 1,
  ]
  return [...keys.values()].filter(isPrice).sort((a, b) => {
    const [[aLeast = 0, aNamed = 0], [bLeast = 0, bNamed = 0]] = [specific(a), specific(b)]
    return bLeast - aLeast || bNamed - aNamed || later(a, b)
  })[0]
}

function amountOf(row: Record<string, unknown>, line: Line): Fraction | null {
  const prices = (line['per_million'] ?? {}) as Record<string, string>
  const count = (name: string) => row[name] as number | null
  if (!row['success'] && count('input_tokens') === null && count('output_tokens') === null) return null
  const oneHour = count('cache_creation_1h_input_tokens') ?? 0
  const creation = count('cache_creation_input_tokens') ?? oneHour
  if (oneHour > creation) return null
  const sides: [number | null, string | undefined, [number, string | undefined][]][] = [
    [
      count('input_tokens'),
      prices['input'],
      [
        [count('cache_read_input_tokens') ?? 0, prices['cache_read_input']],
        [creation - oneHour, prices['cache_creation_input']],
        [oneHour, prices['cache_creation_1h_input'] ?? prices['cache_creation_input']],
      ],
    ],
    [
      count('output_tokens'),
      prices['output'],
      [[count('reasoning_output_tokens') ?? 0, prices['reasoning_output']]],
    ],
  ]
  let sum = fraction(String(line['per_request'] ?? '0'))
  for (const [whole, price, parts] of sides) {
    const own = parts.filter(([, ofPart]) => ofPart !== undefined)
    if (price === undefined && own.length === 0) continue
    if (whole === null) return null
    const rest = own.reduce((left, [tokensOfPart]) => left - tokensOfPart, whole)
    if (rest < 0) return null
    for (const [tokensOfPart, ofPart] of [...own, [rest, price ?? '0'] as const]) {
      const { top, bottom } = fraction(ofPart ?? '0')
      sum = added(sum, { top: top * BigInt(tokensOfPart), bottom: bottom * 1_000_000n })
    }
  }
  return sum
}

function other(
  from: 'sats' | 'usd',
  amount: Fraction,
  timestamp: string,
  lines: readonly Line[],
): number | null {
  const rates = lines.filter(
    (line) => line['type'] === 'exchange_rate_observed' && String(line['observed_at']) <= timestamp,
  )
  rates.sort(
    (a, b) => String(b['observed_at']).localeCompare(String(a['observed_at'])) || Number(b.at) - Number(a.at),
  )
  const newest = rates[0]
  if (newest === undefined || Date.parse(timestamp) - Date.parse(String(newest['observed_at'])) > 86_400_000)
    return null
  const usd = fraction(String(newest['usd_per_btc']))
  const top = from === 'sats' ? usd.top : usd.bottom * 100_000_000n
  const bottom = from === 'sats' ? usd.bottom * 100_000_000n : usd.top
  return rounded({ top: amount.top * top, bottom: amount.bottom * bottom })
}

function fraction(text: string): Fraction {
  const [whole = '', digits = ''] = text.split('.')
  return { top: BigInt(whole + digits), bottom: 10n ** BigInt(digits.length) }
}

function added(a: Fraction, b: Fraction): Fraction {
  return { top: a.top * b.bottom + b.top * a.bottom, bottom: a.bottom * b.bottom }
}

/** To billionths, half to even; no cost is -0. */
function rounded({ top, bottom }: Fraction): number {
  const sign = top < 0n ? -1n : 1n
  const twice = 2n * sign * top * 1_000_000_000n
  let nanos = twice / (2n * bottom)
  const rest = twice - nanos * 2n * bottom
  if (rest > bottom || (rest === bottom && nanos % 2n === 1n)) nanos++
  return (
    Number(
      `${sign < 0n ? '-' : ''}${nanos / 1_000_000_000n}.${String(nanos % 1_000_000_000n).padStart(9, '0')}`,
    ) + 0
  )
}

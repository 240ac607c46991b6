import { createHash } from 'node:crypto'
import type SQLite from 'better-sqlite3'

type Row = Record<string, unknown>

/** Where a latency of at least 64 ms is counted: the power of two, cut in 32. */
function bucketOf(latency: number): number {
  const ms = Math.min(Math.max(latency, 0), 2 ** 32 - 1)
  if (ms < 64) return ms
  const power = Math.floor(Math.log2(ms))
  return 64 + (power - 6) * 32 + Math.floor(((ms - 2 ** power) / 2 ** power) * 32)
}

/**
 * Compares the roll-ups with the rows that they are sums of, and the counters with both. Like the checker of rows it
 * shares no code with the program.
 */
export function findRollupDifferences(database: SQLite.Database): string[] {
  const labels = (database.prepare('SELECT name FROM rollup_labels ORDER BY name').all() as Row[]).map(
    (row) => String(row['name']),
  )
  const counted = database
    .prepare(
      `SELECT * FROM requests WHERE segment_id IS NOT NULL OR id <= (SELECT last_id FROM rollup_unjournaled) ORDER BY id`,
    )
    .iterate() as IterableIterator<Row>
  const expected = new Map<string, Row>()
  const expectedTotals = new Map<string, Row>()
  const expectedCounters: Record<string, number> = { requests: 0 }
  for (const row of counted) {
    for (const [name, value] of countersOf(row)) {
      expectedCounters[name] = (expectedCounters[name] ?? 0) + value
    }
    const sums = sumsOf(row)
    const kept = dimensionLabels(row, labels)
    for (const [grain, length] of [
      ['hour', 13],
      ['day', 10],
    ] as const) {
      const period = String(row['timestamp']).slice(0, length)
      add(expected, [grain, period, row['model'], row['provider'], row['policy'], kept], sums)
      for (const total of totalsOf(row, grain, labels)) add(expectedTotals, [grain, period, ...total], sums)
    }
  }
  const stored = database
    .prepare(
      `SELECT r.*, d.model, d.provider, d.policy, d.labels, l.buckets FROM rollups r
       JOIN rollup_dimensions d ON d.id = r.dimension_id
       LEFT JOIN rollup_latencies l ON l.grain = r.grain AND l.period = r.period AND l.dimension_id = r.dimension_id`,
    )
    .safeIntegers()
    .all() as Row[]
  const found = new Map(
    stored.map(({ grain, period, model, provider, policy, labels, dimension_id, buckets, ...sums }) => {
      const key = JSON.stringify([grain, period, model, provider, policy, labels])
      return [key, { ...sums, ...storedBuckets(buckets as Buffer | null) }]
    }),
  )
  return [
    ...compare(expected, found),
    ...compare(expectedTotals, storedTotals(database)),
    ...findCounterDifferences(database, expectedCounters),
    ...findKeyDifferences(database),
  ]
}

/** What a row is counted in together with others: everything, and by day what its model, provider, policy or label is. */
function totalsOf(row: Row, grain: 'hour' | 'day', labels: string[]): [string, string][] {
  if (grain === 'hour') return [['', '']]
  const own: Row = JSON.parse(dimensionLabels(row, labels))
  const named = (name: string, value: unknown): [string, string] => [
    name,
    value === null || value === undefined ? '' : `=${value}`,
  ]
  return [
    ['', ''],
    ...['model', 'provider', 'policy'].map((column) => named(column, row[column])),
    ...labels.map((label) => named(`label:${label}`, Object.hasOwn(own, label) ? own[label] : null)),
  ]
}

/** The key by which names are found: the beginning of the SHA-256 of their JSON array. */
function keyOf(...names: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(names)).digest().toString('hex', 0, 16)
}

/** Every key is that of its names, and names of more than 128 bytes stand once, as long as a total has them. */
function findKeyDifferences(database: SQLite.Database): string[] {
  const rows = (sql: string) => database.prepare(sql).raw().all() as unknown[][]
  const different = (table: string, keys: unknown[][]) =>
    keys
      .filter(([key, ...names]) => key !== keyOf(...names))
      .map(([key, ...names]) => `${table}: ${key} is the key of ${JSON.stringify(names)}`)
  const names = rows('SELECT substr(key, 2), name FROM rollup_names')
  return [
    ...different(
      'rollup_dimensions',
      rows('SELECT key, model, provider, policy, labels FROM rollup_dimensions'),
    ),
    ...different('request_counters', rows('SELECT key, model, provider, policy FROM request_counters')),
    ...different('rollup_names', names),
    ...names
      .filter(([, name]) => Buffer.byteLength(String(name)) <= 128)
      .map(([, name]) => `${name} is short`),
    ...rows('SELECT DISTINCT group_name FROM rollup_totals WHERE octet_length(group_name) > 129').map(
      ([name]) => `${name} is long`,
    ),
    ...rows('SELECT name FROM rollup_names WHERE key NOT IN (SELECT group_name FROM rollup_totals)').map(
      ([name]) => `no total has the name ${name}`,
    ),
  ]
}

function storedTotals(database: SQLite.Database): Map<string, Row> {
  const names = new Map(
    (database.prepare('SELECT key, name FROM rollup_names').all() as Row[]).map(({ key, name }) => [
      key,
      `=${name}`,
    ]),
  )
  const stored = database
    .prepare(
      `SELECT t.*, l.buckets FROM rollup_totals t LEFT JOIN rollup_total_latencies l
         ON l.grain = t.grain AND l.grouped_by = t.grouped_by AND l.period = t.period AND l.group_name = t.group_name`,
    )
    .safeIntegers()
    .all() as Row[]
  return new Map(
    stored.map(({ grain, period, grouped_by, group_name, buckets, ...sums }) => [
      JSON.stringify([grain, period, grouped_by, names.get(String(group_name)) ?? group_name]),
      { ...sums, ...storedBuckets(buckets as Buffer | null) },
    ]),
  )
}

/** What another program wrote may be anything. */
function wholeTokens(value: unknown): number {
  const number = typeof value === 'string' ? Number(/^\d*/.exec(value)?.[0]) : Number(value ?? 0)
  return Math.min(Math.trunc(number), 1e12)
}

function compare(expected: Map<string, Row>, found: Map<string, Row>): string[] {
  const differences: string[] = []
  for (const key of new Set([...expected.keys(), ...found.keys()])) {
    const [want, have] = [expected.get(key) ?? {}, found.get(key) ?? {}]
    for (const name of new Set([...Object.keys(want), ...Object.keys(have)])) {
      const [a, b] = [want[name] ?? 0n, have[name] ?? 0n]
      if (a !== b) differences.push(`roll-up ${key}: ${name} is ${b}, its rows give ${a}`)
    }
  }
  return differences
}

function dimensionLabels(row: Row, names: string[]): string {
  if (typeof row['labels'] !== 'string') return '{}'
  let labels: Row
  try {
    labels = JSON.parse(row['labels'])
  } catch {
    return '{}'
  }
  const kept = names.filter((name) => Object.hasOwn(labels, name) && typeof labels[name] === 'string')
  return JSON.stringify(Object.fromEntries(kept.map((name) => [name, labels[name]])))
}

function add(groups: Map<string, Row>, names: unknown[], added: readonly [string, bigint][]): void {
  const key = JSON.stringify(names)
  const sums = groups.get(key) ?? {}
  groups.set(key, sums)
  for (const [name, value] of added) sums[name] = ((sums[name] as bigint | undefined) ?? 0n) + value
}

/** What a row adds to each sum that it is a part of; nothing where that is 0. */
function sumsOf(row: Row): [string, bigint][] {
  const sums: [string, bigint][] = []
  const add = (name: string, value: number) => {
    if (value !== 0) sums.push([name, BigInt(value)])
  }
  const failed = row['success'] === 0
  const streamed = row['streaming'] !== 0
  const cost = Math.min(Math.max(Number(row['cost_sats'] ?? 0), -1e12), 1e12)
  const whole = Math.trunc(cost)
  const billionths = Math.abs(cost - whole) * 1e9
  add('requests', 1)
  add('failures', Number(failed))
  add('streams', Number(streamed))
  add('failed_streams', Number(failed && streamed))
  add('unpriced', Number(row['cost_sats'] === null))
  add('input_tokens', wholeTokens(row['input_tokens']))
  add('output_tokens', wholeTokens(row['output_tokens']))
  add('cost_sats', whole)
  add('cost_nanosats', Math.sign(cost) * Math.floor(billionths + 0.5))
  add('latency_ms', Math.min(Number(row['latency_ms']), 2 ** 32 - 1))
  add('unpriced_failures', Number(row['cost_sats'] === null && failed))
  add('unknown_input_tokens', Number(row['input_tokens'] === null))
  add('unknown_output_tokens', Number(row['output_tokens'] === null))
  const ends = ['completed_segment_id', 'input_tokens', 'output_tokens', 'stream_duration_ms']
  add('unended_streams', Number(streamed && !failed && ends.every((name) => row[name] === null)))
  const dollars = Math.min(Math.max(Number(row['cost_usd'] ?? 0), -1e12), 1e12)
  add('unpriced_usd', Number(row['cost_usd'] === null))
  add('unpriced_usd_failures', Number(row['cost_usd'] === null && failed))
  add('cost_usd', Math.trunc(dollars))
  add('cost_nanousd', Math.sign(dollars) * Math.floor(Math.abs(dollars - Math.trunc(dollars)) * 1e9 + 0.5))
  for (const name of ['cache_read_input', 'cache_creation_input', 'reasoning_output']) {
    add(`${name}_tokens`, wholeTokens(row[`${name}_tokens`]))
  }
  add('retries', Number(Number(row['attempt'] ?? 0) > 0))
  add('inconsistent', Number(isInconsistent(row)))
  add(`bucket ${bucketOf(Number(row['latency_ms']))}`, 1)
  return sums
}

/** Whether a part is larger than what it is a part of. */
function isInconsistent(row: Row): boolean {
  const tokens = (name: string) => (row[`${name}_tokens`] ?? null) as number | null
  const exceeds = (part: number | null, whole: number | null) =>
    part !== null && whole !== null && part > whole
  const creation = tokens('cache_creation_input')
  return (
    ['cache_read_input', 'cache_creation_input', 'audio_input', 'image_input'].some((part) =>
      exceeds(tokens(part), tokens('input')),
    ) ||
    ['reasoning_output', 'audio_output'].some((part) => exceeds(tokens(part), tokens('output'))) ||
    exceeds(tokens('cache_creation_1h_input'), creation === null ? tokens('input') : creation)
  )
}

function storedBuckets(buckets: Buffer | null): Row {
  const counts: Row = {}
  for (let at = 0; buckets !== null && at < buckets.length; at += 6) {
    counts[`bucket ${buckets.readUInt16BE(at)}`] = BigInt(buckets.readUInt32BE(at + 2))
  }
  return counts
}

/** What a row adds to each counter of requests. */
function countersOf(row: Row): [string, number][] {
  return [
    ['requests', 1],
    ['failures', Number(row['success'] === 0)],
    ['unpriced', Number(row['cost_sats'] === null)],
    ['latency_ms', Math.min(Math.max(0, Number(row['latency_ms'])), 2 ** 32 - 1)],
    ['input_tokens', wholeTokens(row['input_tokens'])],
    ['output_tokens', wholeTokens(row['output_tokens'])],
    ['unpriced_usd', Number(row['cost_usd'] === null)],
    ['cache_read_input_tokens', wholeTokens(row['cache_read_input_tokens'])],
    ['reasoning_output_tokens', wholeTokens(row['reasoning_output_tokens'])],
  ]
}

/** Counters never fall, so they have at least what the rows say, and more where rows were pruned or lost. */
function findCounterDifferences(database: SQLite.Database, expected: Record<string, number>): string[] {
  const counters = database
    .prepare(
      `SELECT total(requests) AS requests, total(failures) - total(corrected_failures) AS failures,
         total(unpriced) - total(corrected_unpriced) AS unpriced, total(latency_ms) AS latency_ms,
         total(input_tokens) - total(corrected_input_tokens) AS input_tokens,
         total(output_tokens) - total(corrected_output_tokens) AS output_tokens,
         total(unpriced_usd) - total(corrected_unpriced_usd) AS unpriced_usd,
         total(cache_read_input_tokens) - total(corrected_cache_read_input_tokens) AS cache_read_input_tokens,
         total(reasoning_output_tokens) - total(corrected_reasoning_output_tokens) AS reasoning_output_tokens,
         min(0, min(requests), min(failures), min(unpriced), min(input_tokens), min(output_tokens),
           min(corrected_failures), min(corrected_unpriced), min(corrected_input_tokens), min(corrected_output_tokens)) AS least
       FROM request_counters`,
    )
    .get() as Row
  if (expected['requests'] !== 0 && Number(counters['least']) < 0) return ['a counter is negative']
  return Object.entries(expected).flatMap(([name, value]) => {
    // Sums beyond 2^53 are only nearly so here.
    return Number(counters[name]) >= Number(value) - Math.abs(Number(value)) * 1e-13
      ? []
      : [`the counters give ${counters[name]} ${name}, the rows ${value}`]
  })
}

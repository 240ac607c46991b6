import { type CountedRequest, countedRequest } from '../projection/counted-request.js'
import { RollupChanges, type RollupSink } from '../projection/rollups.js'
import type { Database } from '../storage/database.js'
import { addBuckets } from '../storage/latency-histogram.js'
import { STORED_COLUMNS, type StoredRequest } from '../storage/projection-tables.js'
import {
  DAY_LENGTH,
  type Dimension,
  type RollupKey,
  type RollupSums,
  rollupLabels,
  SUMS,
} from '../storage/rollup-tables.js'
import { differingColumns } from './row-comparer.js'
import { asColumns, asNumber, type ProblemList } from './verify-problems.js'

/** Behind every text that begins with what stands before it. */
const LAST_CHARACTER = '\u{10ffff}'

/** bigint: a sum may be larger than 2^53. */
type ExactSums = Record<(typeof SUMS)[number], bigint>

/** One row of roll-ups, sums and latencies. */
interface Rollup {
  sums: ExactSums
  buckets: Map<number, number>
}

interface StoredRollup extends ExactSums {
  grain: string
  period: string
  dimension_id: bigint
  buckets: Buffer | null
}

/**
 * Compares the roll-ups with the rows that they are sums of, day by day: memory holds the roll-ups of one day. Sums
 * are integers, so a difference of any size is one.
 */
export function compareRollups(database: Database, problems: ProblemList): void {
  const stored = new StoredRollups(database)
  const expected = new ExpectedRollups(stored)
  const changes = new RollupChanges(expected, rollupLabels(database))
  const compared = new Set<string>()
  const compareDay = (day: string) => {
    changes.apply()
    compared.add(day)
    compare(expected.take(), stored.ofDay(day), problems)
  }
  let day: string | null = null
  for (const request of countedRequests(database)) {
    const next = request.timestamp.slice(0, DAY_LENGTH)
    if (day !== null && next !== day) compareDay(day)
    day = next
    changes.add(request, false)
  }
  if (day !== null) compareDay(day)
  for (const other of stored.days()) if (!compared.has(other)) compareDay(other)
}

/** In the order of their timestamps, so that a day is done when the next one begins. */
function* countedRequests(database: Database): Generator<CountedRequest> {
  const sql = `SELECT ${STORED_COLUMNS} FROM requests
    WHERE segment_id IS NOT NULL OR id <= (SELECT last_id FROM rollup_unjournaled) ORDER BY timestamp`
  for (const row of database.prepare<[], StoredRequest>(sql).iterate()) yield countedRequest(row)
}

/** What the fold of the rows gives, in the place of the tables. */
class ExpectedRollups implements RollupSink {
  readonly #stored: StoredRollups
  #rollups = new Map<string, Rollup>()

  constructor(stored: StoredRollups) {
    this.#stored = stored
  }

  dimensionId(dimension: Dimension): number {
    return this.#stored.dimensionId(dimension)
  }

  add(key: RollupKey, sums: RollupSums, buckets: ReadonlyMap<number, number>): void {
    const rollup = this.#rollups.get(keyOf(key)) ?? { sums: noSums(), buckets: new Map() }
    this.#rollups.set(keyOf(key), rollup)
    for (const name of SUMS) rollup.sums[name] += BigInt(sums[name])
    for (const [bucket, count] of buckets) {
      rollup.buckets.set(bucket, (rollup.buckets.get(bucket) ?? 0) + count)
    }
  }

  /** Counters only grow, so that the rows can't tell what they should be. */
  count(): void {}

  take(): Map<string, Rollup> {
    const rollups = this.#rollups
    this.#rollups = new Map()
    return rollups
  }
}

class StoredRollups {
  readonly #dimensions: ReadonlyMap<string, number>
  readonly #ofDay
  readonly #days

  constructor(database: Database) {
    const dimensions = database.prepare<
      [],
      { id: number; model: string; provider: string; policy: string; labels: string }
    >('SELECT * FROM rollup_dimensions ORDER BY id DESC')
    this.#dimensions = new Map(
      dimensions
        .all()
        .map(({ id, model, provider, policy, labels }) => [
          JSON.stringify([model, provider, policy, labels]),
          id,
        ]),
    )
    this.#ofDay = database
      .prepare<[string, string], StoredRollup>(
        `SELECT r.*, l.buckets FROM rollups r LEFT JOIN rollup_latencies l USING (grain, period, dimension_id)
         WHERE grain IN ('hour', 'day') AND period BETWEEN ? AND ?`,
      )
      .safeIntegers()
    this.#days = database
      .prepare<[], string>(`SELECT DISTINCT substr(period, 1, ${DAY_LENGTH}) FROM rollups`)
      .pluck()
  }

  /** One that isn't there has an id that no row has. */
  dimensionId({ model, provider, policy, labels }: Dimension): number {
    return this.#dimensions.get(JSON.stringify([model, provider, policy, JSON.stringify(labels)])) ?? -1
  }

  ofDay(day: string): Map<string, Rollup> {
    const rows = this.#ofDay.all(day, day + LAST_CHARACTER)
    return new Map(
      rows.map(({ grain, period, dimension_id, buckets, ...sums }) => {
        const counts = new Map<number, number>()
        if (buckets !== null) addBuckets(counts, buckets)
        return [keyOf({ grain, period, dimensionId: Number(dimension_id) }), { sums, buckets: counts }]
      }),
    )
  }

  days(): string[] {
    return this.#days.all()
  }
}

function compare(
  expected: ReadonlyMap<string, Rollup>,
  found: ReadonlyMap<string, Rollup>,
  problems: ProblemList,
): void {
  for (const key of new Set([...expected.keys(), ...found.keys()])) {
    const differences = differingColumns(columnsOf(expected.get(key)), columnsOf(found.get(key)))
    if (differences.length === 0) continue
    problems.add({
      kind: 'rollup',
      segment: null,
      byte_offset: null,
      detail: `the roll-up of ${key} isn't the sum of its requests: rebuild it with \`request-journal replay\``,
      columns: asColumns(
        differences.map(({ column, expected, found }) => ({
          column,
          expected: asNumber(expected),
          found: asNumber(found),
        })),
      ),
    })
  }
}

function columnsOf(rollup: Rollup | undefined): Record<string, unknown> {
  const { sums, buckets } = rollup ?? { sums: noSums(), buckets: new Map<number, number>() }
  const latencies = [...buckets].filter(([, count]) => count !== 0).sort(([a], [b]) => a - b)
  return { ...sums, latencies: JSON.stringify(latencies) }
}

function keyOf({ grain, period, dimensionId }: Omit<RollupKey, 'grain'> & { grain: string }): string {
  return `${grain} ${period}, dimension ${dimensionId}`
}

function noSums(): ExactSums {
  return Object.fromEntries(SUMS.map((name) => [name, 0n])) as ExactSums
}

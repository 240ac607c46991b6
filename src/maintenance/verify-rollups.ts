import { type CountedRequest, countedRequest } from '../projection/counted-request.js'
import { RollupChanges, type RollupSink } from '../projection/rollups.js'
import type { Database } from '../storage/database.js'
import { encodeBuckets } from '../storage/latency-histogram.js'
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
import { asColumns, asNumber, type DifferingColumn, type ProblemList } from './verify-problems.js'

/** Behind every text that begins with what stands before it. */
const LAST_CHARACTER = '\u{10ffff}'

/** Of a day, which may be shorter than one where a row from before the journal has no timestamp. */
const IS_OF_DAY = `grain IN ('hour', 'day') AND period BETWEEN ? AND ? AND substr(period, 1, ${DAY_LENGTH}) = ?`

/** bigint: a sum may be larger than 2^53. */
type ExactSums = Record<(typeof SUMS)[number], bigint>

/** One row of roll-ups, as it should be. */
interface Rollup {
  sums: ExactSums
  buckets: Map<number, number>
}

interface StoredKey {
  grain: string
  period: string
  dimension_id: bigint
}

/** One row of roll-ups as it is: its sums, and its latencies as an SQL literal. */
interface StoredRollup {
  sums: ExactSums
  latencies: string
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
  for (const id of stored.unusedDimensions()) {
    addProblem(problems, `dimension ${id} of the roll-ups is that of no request`)
  }
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
  readonly #statements: ReturnType<typeof prepareStatements>

  constructor(database: Database) {
    this.#statements = prepareStatements(database)
    this.#dimensions = new Map(
      this.#statements.dimensions
        .all()
        .map(({ id, model, provider, policy, labels }) => [
          JSON.stringify([model, provider, policy, labels]),
          id,
        ]),
    )
  }

  /** One that isn't there has an id that no row has. */
  dimensionId({ model, provider, policy, labels }: Dimension): number {
    return this.#dimensions.get(JSON.stringify([model, provider, policy, JSON.stringify(labels)])) ?? -1
  }

  ofDay(day: string): Map<string, StoredRollup> {
    const { sums, latencies } = this.#statements
    const rollups = new Map<string, StoredRollup>()
    for (const { grain, period, dimension_id, ...row } of sums.all(day, day + LAST_CHARACTER, day)) {
      rollups.set(keyOf({ grain, period, dimensionId: Number(dimension_id) }), {
        sums: row,
        latencies: latenciesLiteral(),
      })
    }
    for (const { grain, period, dimension_id, latencies: found } of latencies.all(
      day,
      day + LAST_CHARACTER,
      day,
    )) {
      const key = keyOf({ grain, period, dimensionId: Number(dimension_id) })
      rollups.set(key, { sums: rollups.get(key)?.sums ?? noSums(), latencies: found })
    }
    return rollups
  }

  days(): string[] {
    return this.#statements.days.all()
  }

  /** Names that no request has would be known ones. */
  unusedDimensions(): number[] {
    return this.#statements.unusedDimensions.all()
  }
}

function prepareStatements(database: Database) {
  return {
    dimensions: database.prepare<
      [],
      { id: number; model: string; provider: string; policy: string; labels: string }
    >('SELECT * FROM rollup_dimensions ORDER BY id DESC'),
    sums: database
      .prepare<[string, string, string], StoredKey & ExactSums>(`SELECT * FROM rollups WHERE ${IS_OF_DAY}`)
      .safeIntegers(),
    // Whatever stands there, and also where no sums stand beside it.
    latencies: database
      .prepare<[string, string, string], StoredKey & { latencies: string }>(
        `SELECT grain, period, dimension_id, quote(buckets) AS latencies FROM rollup_latencies WHERE ${IS_OF_DAY}`,
      )
      .safeIntegers(),
    days: database
      .prepare<[], string>(
        `SELECT substr(period, 1, ${DAY_LENGTH}) FROM rollups
         UNION SELECT substr(period, 1, ${DAY_LENGTH}) FROM rollup_latencies`,
      )
      .pluck(),
    unusedDimensions: database
      .prepare<[], number>(
        `SELECT id FROM rollup_dimensions WHERE id NOT IN (SELECT dimension_id FROM rollups) ORDER BY id`,
      )
      .pluck(),
  }
}

function compare(
  expected: ReadonlyMap<string, Rollup>,
  found: ReadonlyMap<string, StoredRollup>,
  problems: ProblemList,
): void {
  for (const key of new Set([...expected.keys(), ...found.keys()])) {
    const { sums, latencies } = found.get(key) ?? { sums: noSums(), latencies: latenciesLiteral() }
    const differences = differingColumns(expectedColumns(expected.get(key)), { ...sums, latencies })
    if (differences.length === 0) continue
    const columns = differences.map(({ column, expected, found }) => ({
      column,
      expected: asNumber(expected),
      found: asNumber(found),
    }))
    addProblem(problems, `the roll-up of ${key} isn't the sum of its requests`, asColumns(columns))
  }
}

function addProblem(problems: ProblemList, found: string, columns?: DifferingColumn[]): void {
  problems.add({
    kind: 'rollup',
    segment: null,
    byte_offset: null,
    detail: `${found}: rebuild it with \`request-journal replay\``,
    ...(columns === undefined ? {} : { columns }),
  })
}

function expectedColumns(rollup: Rollup | undefined): Record<string, unknown> {
  return { ...(rollup?.sums ?? noSums()), latencies: latenciesLiteral(rollup?.buckets) }
}

/** As SQLite quotes them. */
function latenciesLiteral(buckets: ReadonlyMap<number, number> = new Map()): string {
  return `X'${encodeBuckets(buckets).toString('hex').toUpperCase()}'`
}

function keyOf({ grain, period, dimensionId }: Omit<RollupKey, 'grain'> & { grain: string }): string {
  return `${grain} ${period}, dimension ${dimensionId}`
}

function noSums(): ExactSums {
  return Object.fromEntries(SUMS.map((name) => [name, 0n])) as ExactSums
}

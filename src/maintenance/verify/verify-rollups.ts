import type { CountedRequest } from '../../folds/request.js'
import { type Rollup, SUMS, type SumName } from '../../folds/rollup-cells.js'
import { DAY_LENGTH, type Dimension, RollupSums } from '../../folds/rollups.js'
import { type Latencies, mergeLatencies } from '../../folds/stored-latencies.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import { type RollupKey, rollupLabels, type TotalKey } from '../../store/sqlite/rollups/rollup-tables.js'
import { type RollupSink, writeRollups } from '../../store/sqlite/rollups/rollup-writing.js'
import { type RequestColumns, STORED_COLUMNS, storedRequestOf } from '../../store/sqlite/stored-requests.js'
import { differingColumns } from './row-comparer.js'
import { asColumns, asNumber, type DifferingColumn, type ProblemList } from './verify-problems.js'

/** Behind every text that begins with what stands before it. */
const LAST_CHARACTER = '\u{10ffff}'

/** Of a day, which may be shorter than one where a row from before the journal has no timestamp. */
const IS_OF_DAY = `grain IN ('hour', 'day') AND period BETWEEN ? AND ? AND substr(period, 1, ${DAY_LENGTH}) = ?`

/** How a row is told from others, in SQL. */
const ROLLUP_NAME = "grain || ' ' || period || ', dimension ' || dimension_id"
const TOTAL_NAME = `grain || ' ' || period || ', all' || CASE WHEN grouped_by = '' AND group_name = '' THEN ''
  ELSE ' of ' || grouped_by || ' ' ||
    coalesce((SELECT '=' || name FROM rollup_names WHERE key = group_name), group_name) END`

/** bigint: a sum may be larger than 2^53. */
type ExactSums = Record<SumName, bigint>

/** One row of roll-ups, as it should be. */
interface ExpectedRollup {
  sums: ExactSums
  latencies: Latencies
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
  const labels = rollupLabels(database)
  const sums = new RollupSums(labels)
  const apply = () => {
    for (const changes of sums.take()) writeRollups(expected, changes, labels)
  }
  const compared = new Set<string>()
  const compareDay = (day: string) => {
    apply()
    compared.add(day)
    compare(expected.take(), stored.ofDay(day), problems)
  }
  let day: string | null = null
  for (const request of countedRequests(database)) {
    const next = request.timestamp.slice(0, DAY_LENGTH)
    if (day !== null && next !== day) compareDay(day)
    day = next
    sums.add(request, false)
    if (sums.isFull) apply()
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
  for (const row of database.prepare<[], RequestColumns>(sql).iterate()) yield storedRequestOf(row, 0)
}

/** What the fold of the rows gives, in the place of the tables. */
class ExpectedRollups implements RollupSink {
  readonly #stored: StoredRollups
  #rollups = new Map<string, ExpectedRollup>()

  constructor(stored: StoredRollups) {
    this.#stored = stored
  }

  dimensionId(dimension: Dimension): number {
    return this.#stored.dimensionId(dimension)
  }

  add({ grain, period, dimensionId }: RollupKey, rollup: Rollup): void {
    this.#add(nameOfRollup(grain, period, dimensionId), rollup)
  }

  addTotal({ grain, groupedBy, period, name }: TotalKey, rollup: Rollup): void {
    this.#add(nameOfTotal(grain, groupedBy, period, name), rollup)
  }

  begin(): void {}

  /** Nothing is put off. */
  insert(): void {}

  /** Counters only grow, so that the rows can't tell what they should be. */
  count(): void {}

  take(): Map<string, ExpectedRollup> {
    const rollups = this.#rollups
    this.#rollups = new Map()
    return rollups
  }

  #add(name: string, { sums, latencies }: Rollup): void {
    const before = this.#rollups.get(name) ?? { sums: noSums(), latencies: Buffer.alloc(0) }
    for (const [index, sum] of SUMS.entries()) before.sums[sum] += BigInt(sums[index] ?? 0)
    this.#rollups.set(name, { ...before, latencies: mergeLatencies(before.latencies, latencies, 1) })
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
    const range = [day, day + LAST_CHARACTER, day] as const
    const rollups = new Map<string, StoredRollup>()
    for (const { sums, latencies } of [this.#statements.rollups, this.#statements.totals]) {
      for (const { name, ...row } of sums.all(...range)) {
        rollups.set(name, { sums: row, latencies: latenciesLiteral() })
      }
      // Whatever stands there, and also where no sums stand beside it.
      for (const { name, latencies: found } of latencies.all(...range)) {
        rollups.set(name, { sums: rollups.get(name)?.sums ?? noSums(), latencies: found })
      }
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
    rollups: prepareRows(database, 'rollups', 'rollup_latencies', ROLLUP_NAME),
    totals: prepareRows(database, 'rollup_totals', 'rollup_total_latencies', TOTAL_NAME),
    days: database
      .prepare<[], string>(
        ['rollups', 'rollup_latencies', 'rollup_totals', 'rollup_total_latencies']
          .map((table) => `SELECT substr(period, 1, ${DAY_LENGTH}) FROM ${table}`)
          .join(' UNION '),
      )
      .pluck(),
    unusedDimensions: database
      .prepare<[], number>(
        `SELECT id FROM rollup_dimensions WHERE id NOT IN (SELECT dimension_id FROM rollups) ORDER BY id`,
      )
      .pluck(),
  }
}

function prepareRows(database: Database, sums: string, latencies: string, name: string) {
  return {
    sums: database
      .prepare<[string, string, string], ExactSums & { name: string }>(
        `SELECT ${name} AS name, ${SUMS.join(', ')} FROM ${sums} WHERE ${IS_OF_DAY}`,
      )
      .safeIntegers(),
    latencies: database.prepare<[string, string, string], { name: string; latencies: string }>(
      `SELECT ${name} AS name, quote(buckets) AS latencies FROM ${latencies} WHERE ${IS_OF_DAY}`,
    ),
  }
}

function compare(
  expected: ReadonlyMap<string, ExpectedRollup>,
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

function expectedColumns(rollup: ExpectedRollup | undefined): Record<string, unknown> {
  return { ...(rollup?.sums ?? noSums()), latencies: latenciesLiteral(rollup?.latencies) }
}

/** As SQLite quotes them. */
function latenciesLiteral(latencies: Latencies = Buffer.alloc(0)): string {
  return `X'${latencies.toString('hex').toUpperCase()}'`
}

/** The same as ROLLUP_NAME. */
function nameOfRollup(grain: string, period: string, dimensionId: number): string {
  return `${grain} ${period}, dimension ${dimensionId}`
}

/** The same as TOTAL_NAME. */
function nameOfTotal(grain: string, groupedBy: string, period: string, name: string | null): string {
  const group = name === null ? '' : `=${name}`
  return `${grain} ${period}, all${groupedBy === '' ? '' : ` of ${groupedBy} ${group}`}`
}

function noSums(): ExactSums {
  return Object.fromEntries(SUMS.map((name) => [name, 0n])) as ExactSums
}

import { grouped } from '../../folds/grouped.js'
import { CORRECTABLE, LATENCY_BOUNDS_MS } from '../../folds/sums/counters.js'
import type { Dialect } from '../../store/dialect.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { namedJournals } from '../journals.js'

/** The columns of `request_counters` with counts. */
const COLUMNS = [
  'requests',
  'latency_ms',
  ...CORRECTABLE,
  ...CORRECTABLE.map((name) => `corrected_${name}` as const),
] as const

const BILLION = 1_000_000_000n

type WholeCost = 'cost_sats' | 'cost_usd'
type Row = Record<(typeof COLUMNS)[number], bigint>

/**
 * Sums over requests that never decrease: what completions and prices take back is counted in
 * `corrected_*`. They are bigints because they grow for as long as the database exists.
 */
export interface CounterSums extends Omit<Row, WholeCost | `corrected_${WholeCost}`> {
  /** The whole cost, in billionths of a satoshi and of a dollar. */
  cost_nanosats: bigint
  cost_nanousd: bigint
  corrected_cost_nanosats: bigint
  corrected_cost_nanousd: bigint
  /**
   * For each of LATENCY_BOUNDS_MS, how many requests took at most that long, but longer than the
   * previous bound.
   */
  latencies: bigint[]
}

/** The sums of one combination of model, provider, policy and, if there are several, journal. */
export interface RequestCounter extends CounterSums {
  /** The journal's id. Null if the database has only one journal. */
  journal: string | null
  model: string
  provider: string | null
  policy: string | null
}

export interface RequestCounters {
  /** The combinations that were seen first, in the order in which they were seen. */
  combinations: RequestCounter[]
  /** The sums of all combinations that were seen later; null if there are none. */
  others: CounterSums | null
}

type CombinationRow = Row &
  Pick<RequestCounter, 'model' | 'provider' | 'policy'> & { id: bigint; journal: bigint }

interface LatencyRow {
  counter_id: bigint
  le_ms: bigint
  requests: bigint
}

/**
 * Reads the counters, all at the same moment.
 *
 * @param limit how many combinations are kept apart. They are the ones seen first, so that no sum
 *   ever moves from one series into another.
 */
export function readCounters(database: QueryDatabase, { limit }: { limit: number }): RequestCounters {
  return database.transaction(() => {
    const rows = readFirst(database, limit)
    const lastId = rows.at(-1)?.id ?? 0n
    const latencies = readLatencies(database, lastId)
    const journals = namedJournals(database)
    const ids = new Map(journals.map(({ number, journalId }) => [BigInt(number), journalId]))
    const combinations = rows.map(({ id, journal, model, provider, policy, ...row }) => ({
      journal: journals.length > 1 ? (ids.get(journal) ?? null) : null,
      model,
      provider,
      policy,
      ...sums(row, latencies.get(id)),
    }))
    // There can only be others if the list is full. With a limit of 0 it always is.
    return { combinations, others: rows.length < limit ? null : readOthers(database, lastId) }
  })()
}

function readFirst(database: QueryDatabase, limit: number): CombinationRow[] {
  const dialect = dialectOf(database)
  const columns = COLUMNS.map((name) => `${dialect.integer(counterSql(dialect, name))} AS ${name}`)
  return database
    .prepare<[number], CombinationRow>(
      `SELECT id, ${dialect.journalColumn} AS journal, model, provider, policy, ${columns.join(', ')}
       FROM request_counters ORDER BY id LIMIT ?`,
    )
    .safeIntegers()
    .all(limit)
}

function readLatencies(database: QueryDatabase, lastId: bigint): Map<bigint, LatencyRow[]> {
  const sql = 'SELECT counter_id, le_ms, requests FROM latency_counters WHERE counter_id <= ?'
  const rows = database.prepare<[bigint], LatencyRow>(sql).safeIntegers()
  return grouped(rows.all(lastId), ({ counter_id }) => counter_id)
}

/** Returns the SQL of one of COLUMNS: PostgreSQL stores the two parts of a cost as one number. */
function counterSql(dialect: Dialect, name: string): string {
  const [, prefix, nano, currency] = /^(corrected_)?cost_(nano)?(sats|usd)$/.exec(name) ?? []
  if (currency !== 'sats' && currency !== 'usd') return name
  const corrected = prefix === undefined ? prefix : 'corrected_'
  return nano === undefined
    ? dialect.storedWholeCost(currency, corrected)
    : dialect.storedCostBillionths(currency, corrected)
}

/**
 * Sums all combinations after an id. The database adds them up, because there may be any number of
 * combinations: clients choose the names of models.
 */
function readOthers(database: QueryDatabase, lastId: bigint): CounterSums | null {
  const dialect = dialectOf(database)
  const columns = COLUMNS.map((name) => `${dialect.integerSum(counterSql(dialect, name))} AS ${name}`)
  const row = database
    .prepare<[bigint], Row>(
      `SELECT ${columns.join(', ')} FROM request_counters WHERE id > ? HAVING count(*) > 0`,
    )
    .safeIntegers()
    .get(lastId)
  if (row === undefined) return null
  const latencies = database
    .prepare<[bigint], LatencyRow>(
      `SELECT 0 AS counter_id, le_ms, sum(requests) AS requests FROM latency_counters WHERE counter_id > ?
       GROUP BY le_ms`,
    )
    .safeIntegers()
    .all(lastId)
  return sums(row, latencies)
}

function sums(row: Row, latencies: readonly LatencyRow[] = []): CounterSums {
  const { cost_sats, cost_usd, corrected_cost_sats, corrected_cost_usd, ...counts } = row
  return {
    ...counts,
    cost_nanosats: cost_sats * BILLION + row.cost_nanosats,
    cost_nanousd: cost_usd * BILLION + row.cost_nanousd,
    corrected_cost_nanosats: corrected_cost_sats * BILLION + row.corrected_cost_nanosats,
    corrected_cost_nanousd: corrected_cost_usd * BILLION + row.corrected_cost_nanousd,
    latencies: LATENCY_BOUNDS_MS.map(
      (bound) => latencies.find(({ le_ms }) => le_ms === BigInt(bound))?.requests ?? 0n,
    ),
  }
}

/** Adds two sums. */
export function addCounters({ latencies, ...counts }: CounterSums, other: CounterSums): CounterSums {
  const added = latencies.map((requests, at) => requests + (other.latencies[at] as bigint))
  const sum = { ...counts, latencies: added }
  for (const name of Object.keys(counts) as (keyof typeof counts)[]) sum[name] += other[name]
  return sum
}

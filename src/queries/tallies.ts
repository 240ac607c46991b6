import type { Database } from '../storage/database.js'
import type { SumName } from '../storage/rollup-rows.js'
import type { RollupGrain } from '../storage/rollup-tables.js'
import { all, type Condition, inRange, type TextRange } from './condition.js'
import { isOfDimensions, type RequestFilter, rowCondition, windowRange } from './filter.js'
import type { Grouping } from './grouping.js'
import type { Period } from './periods.js'
import { rollupSource } from './rollup-source.js'
import { ALL_SUMS, rollupSums, rowSums, SUMS_WITHOUT_UNKNOWNS, Tally } from './tally.js'
import { type Grain, PERIOD_LENGTH, type Term, windowTerms } from './terms.js'
import { uncountedRows } from './uncounted.js'

export interface Question {
  filter: RequestFilter
  /** @default all are one group */
  grouping?: Grouping | undefined
  /** @default they aren't told apart by time */
  period?: Period | undefined
  /** Also gathers how latencies are spread, or nothing but that. @default false */
  latencies?: boolean | 'only' | undefined
  /** Also counts what is unknown, and streams without an end. @default false */
  unknown?: boolean | undefined
}

/** Tallies by the beginning of their period (empty where not told apart by time), then by the name of their group. */
export type Tallies = Map<string, Map<string, Tally>>

/** Everything as one group. */
const WHOLE: Grouping = {
  column: null,
  ofRow: { sql: 'NULL', values: [] },
  ofDimension: () => '',
  name: () => '',
}

/**
 * Counts requests from the roll-ups, and from rows only where roll-ups don't reach: at the ends of the window, and for
 * what they aren't kept by. To be called in a transaction.
 */
export function tallyRequests(database: Database, question: Question): Tallies {
  const { filter, period } = question
  const grouping = question.grouping ?? WHOLE
  const uncounted = uncountedRows(database)
  const source: Source = {
    database,
    grouping,
    period,
    filter,
    counted: uncounted === null ? [] : [{ ...uncounted, sql: `NOT (${uncounted.sql})` }],
    sums: question.latencies === 'only' ? [] : question.unknown ? ALL_SUMS : SUMS_WITHOUT_UNKNOWNS,
    withLatencies: question.latencies === true || question.latencies === 'only',
    tallies: new Map(),
  }
  const coarsest = coarsestGrain(database, question, grouping)
  for (const term of windowTerms(windowRange(filter), coarsest, rowProbe(database))) {
    if (term.grain === 'row') readRows(source, term, coarsest === 'row' ? [] : source.counted)
    else readRollups(source, term, term.grain)
  }
  if (coarsest !== 'row' && uncounted !== null) {
    readRows(source, { sign: 1, grain: 'row', range: windowRange(filter) }, [uncounted])
  }
  if (question.unknown) readOpenStreams(source)
  if (source.sums.length > 0) dropEmpty(source.tallies)
  return source.tallies
}

/** What they are together: of one alone itself, which nobody may change. */
export function sumOf(tallies: Iterable<Tally>): Tally {
  const [first, ...others] = tallies
  if (first !== undefined && others.length === 0) return first
  const sum = new Tally()
  if (first !== undefined) sum.addTally(first)
  for (const tally of others) sum.addTally(tally)
  return sum
}

/** All requests that a filter leaves. To be called in a transaction. */
export function tallyWhole(database: Database, filter: RequestFilter): Tally {
  return tallyRequests(database, { filter }).get('')?.get('') ?? new Tally()
}

interface Source {
  database: Database
  grouping: Grouping
  period: Period | undefined
  filter: RequestFilter
  /** What rows must be to be in the roll-ups. */
  counted: Condition[]
  /** None: only latencies are asked for. */
  sums: readonly SumName[]
  withLatencies: boolean
  tallies: Tallies
}

function coarsestGrain(database: Database, { filter, period }: Question, grouping: Grouping): Grain {
  const { success, streaming } = filter
  // The sums don't tell tokens and costs of failures from others.
  if (success !== undefined || streaming !== undefined) return 'row'
  if (period === 'minute' || grouping.ofDimension === null || !isOfDimensions(database, filter)) return 'row'
  return period === 'hour' ? 'hour' : 'day'
}

function rowProbe(database: Database): (range: TextRange) => boolean {
  return (range) => {
    const { sql, values } = inRange('timestamp', range)
    return database.prepare(`SELECT 1 FROM requests WHERE ${sql} LIMIT 1`).get(...values) !== undefined
  }
}

function readRows(source: Source, { sign, range }: Term, only: Condition[]): void {
  const { database, grouping, period } = source
  const time = periodColumn('timestamp', period)
  const group = grouping.ofRow
  const { sql, values } = all([rowCondition(source.filter, range), ...only])
  const from = `FROM requests WHERE ${sql}`
  if (source.sums.length > 0) {
    const rows = database
      .prepare(`SELECT ${time}, ${group.sql}, ${rowSums(source.sums)} ${from} ${groupBy(source)}`)
      .raw()
      .safeIntegers()
      .all(...group.values, ...values) as [string, string | null, ...bigint[]][]
    for (const [start, name, ...sums] of rows) {
      tallyAt(source, start, grouping.name(name)).add(source.sums, sums, sign)
    }
  }
  if (source.withLatencies) {
    const latencies = database
      .prepare(`SELECT ${time}, ${group.sql}, CAST(latency_ms AS INTEGER) ${from}`)
      .raw()
      .iterate(...group.values, ...values) as IterableIterator<[string, string | null, number]>
    for (const [start, name, latencyMs] of latencies) {
      tallyAt(source, start, grouping.name(name)).latencies.add(latencyMs, sign)
    }
  }
}

function readRollups(source: Source, { sign, range }: Term, grain: RollupGrain): void {
  const { database, grouping, period } = source
  const time = periodColumn('period', period)
  const { sums, latencies, condition, groupColumn, nameOf } = rollupSource(
    database,
    grain,
    source.filter,
    grouping,
  )
  const { sql, values } = all([{ sql: 'grain = ?', values: [grain] }, inRange('period', range), condition])
  const group = grouping === WHOLE ? "''" : groupColumn
  if (source.sums.length > 0) {
    const rows = database
      .prepare(
        `SELECT ${time}, ${group}, ${rollupSums(source.sums)} FROM ${sums} WHERE ${sql} ${groupBy(source)}`,
      )
      .raw()
      .safeIntegers()
      .all(...values) as [string, string | bigint, ...bigint[]][]
    for (const [start, value, ...columns] of rows) {
      const name = nameOf(typeof value === 'string' ? value : Number(value))
      tallyAt(source, start, name).add(source.sums, columns, sign)
    }
  }
  if (source.withLatencies) {
    const stored = database
      .prepare(`SELECT ${time}, ${group}, buckets FROM ${latencies} WHERE ${sql}`)
      .raw()
      .iterate(...values) as IterableIterator<[string, string | number, Buffer]>
    for (const [start, value, buckets] of stored) {
      tallyAt(source, start, nameOf(value)).latencies.addStored(buckets, sign)
    }
  }
}

/** Streams that are open: by their own index, which has the rows without an end only. */
function readOpenStreams(source: Source): void {
  const { database, grouping, period, filter } = source
  if (filter.open === false) return
  const group = grouping.ofRow
  const { sql, values } = rowCondition({ ...filter, open: true })
  const rows = database
    .prepare<unknown[], [string, string | null, number]>(
      `SELECT ${periodColumn('timestamp', period)}, ${group.sql}, count(*) FROM requests WHERE ${sql} ${groupBy(source)}`,
    )
    .raw()
    .all(...group.values, ...values) as [string, string | null, number][]
  for (const [start, name, count] of rows) tallyAt(source, start, grouping.name(name)).addOpenStreams(count)
}

/** Of the period, the first column, and the group, the second, only what differs: SQLite would sort by constants too. */
function groupBy({ grouping, period }: Source): string {
  const columns = [...(period === undefined ? [] : ['1']), ...(grouping === WHOLE ? [] : ['2'])]
  return columns.length === 0 ? '' : `GROUP BY ${columns.join(', ')}`
}

function periodColumn(column: string, period: Period | undefined): string {
  return period === undefined ? "''" : `substr(${column}, 1, ${PERIOD_LENGTH[period]})`
}

function tallyAt({ tallies }: Source, start: string, name: string): Tally {
  let groups = tallies.get(start)
  if (groups === undefined) {
    groups = new Map()
    tallies.set(start, groups)
  }
  let tally = groups.get(name)
  if (tally === undefined) {
    tally = new Tally()
    groups.set(name, tally)
  }
  return tally
}

/** What was added and then taken away again leaves nothing. */
function dropEmpty(tallies: Tallies): void {
  for (const [start, groups] of tallies) {
    for (const [name, tally] of groups) if (tally.requests === 0) groups.delete(name)
    if (groups.size === 0) tallies.delete(start)
  }
}

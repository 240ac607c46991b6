import type { SumName } from '../../folds/sums/rollup-cells.js'
import { all, inRange } from '../../store/condition.js'
import { dialectOf, type QueryDatabase, type QueryStatement } from '../../store/query-database.js'
import { tooManyGroups } from '../errors.js'
import { isInSums } from '../window/added-rows.js'
import { type RequestFilter, rowCondition } from '../window/filter.js'
import { keyOf, type LocalPeriods } from '../window/local-periods.js'
import { preparingOnce } from '../window/statements.js'
import { PERIOD_LENGTH, type Period } from '../window/terms.js'
import { type Grouping, groupKey, WHOLE } from './grouping.js'
import { type Part, partsOf } from './parts.js'
import { ALL_SUMS, SUMS_WITHOUT_UNKNOWNS, Tally } from './tally.js'

export interface Question {
  filter: RequestFilter
  /** @default all requests are one group */
  grouping?: Grouping | undefined
  /** The keys of the groups that are wanted. @default all */
  only?: ReadonlySet<string> | undefined
  /** @default requests aren't grouped by time */
  period?: Period | LocalPeriods | undefined
  /** Whether to gather latencies too, or nothing else. @default false */
  latencies?: boolean | 'only' | undefined
  /** Whether to sum costs in dollars and failures without a cost too. @default false */
  currencies?: boolean | undefined
  /** Whether to count unknown values and streams without an end too. @default false */
  unknown?: boolean | undefined
}

/**
 * Tallies by the beginning of their period (empty if they aren't grouped by time), then by the key
 * of their group.
 */
export type Tallies = Map<string, Map<string, Tally>>

/**
 * How many tallies, of about 1 KiB each, are held at once. There are more of them than groups in
 * the answer: some groups of a whole day are subtracted again, and a series has a tally for each
 * name in each bucket.
 */
export const MAX_TALLIES = 100_000

/**
 * How many roll-ups SQLite sorts into groups at once, in about 0.1 s. More of them are read period
 * by period.
 */
const MAX_SORTED = 50_000

/** Counts requests. To be called in a transaction. @throws QueryError TOO_MANY_GROUPS, TIMED_OUT */
export function tallyRequests(database: QueryDatabase, question: Question): Tallies {
  const { filter, grouping = WHOLE, only, period, latencies } = question
  const reader = new TallyReader(database, grouping, period)
  const sums =
    latencies === 'only' ? [] : question.unknown || question.currencies ? ALL_SUMS : SUMS_WITHOUT_UNKNOWNS
  for (const part of partsOf(database, { filter, grouping, period, only })) {
    if (sums.length > 0) reader.readSums(part, sums)
    if (latencies) reader.readLatencies(part)
  }
  if (question.unknown) reader.readOpenStreams(filter, only)
  return sums.length > 0 ? withoutEmpty(reader.tallies) : reader.tallies
}

/** Adds up tallies. Callers mustn't change the result: the sum of a single tally is that tally. */
export function sumOf(tallies: Iterable<Tally>): Tally {
  const [first, ...others] = tallies
  if (first !== undefined && others.length === 0) return first
  const sum = new Tally()
  if (first !== undefined) sum.addTally(first)
  for (const tally of others) sum.addTally(tally)
  return sum
}

/** Subtracts parts from a whole. */
export function without(whole: Tally, parts: Iterable<Tally>): Tally {
  const rest = new Tally()
  rest.addTally(whole)
  for (const part of parts) rest.addTally(part, -1)
  return rest
}

/** Counts all requests that a question is about, without groups. To be called in a transaction. */
export function tallyWhole(
  database: QueryDatabase,
  question: Question & { grouping?: undefined; only?: undefined; period?: undefined },
): Tally {
  return tallyRequests(database, question).get('')?.get('') ?? new Tally()
}

/** Reads parts, and adds up their sums by group. */
class TallyReader {
  readonly tallies: Tallies = new Map()
  readonly #database: QueryDatabase
  readonly #grouping: Grouping
  readonly #period: Period | LocalPeriods | undefined
  readonly #prepare: (sql: string) => QueryStatement
  #count = 0

  constructor(database: QueryDatabase, grouping: Grouping, period: Question['period']) {
    this.#database = database
    this.#prepare = preparingOnce(database)
    this.#grouping = grouping
    this.#period = period
  }

  readSums(part: Part, names: readonly SumName[]): void {
    const { from, condition } = part
    const [time, group] = this.#columns(part)
    const select = `SELECT ${time}, ${group.sql}, ${part.sums(names)} FROM ${from} WHERE ${condition.sql}`
    const values = [...group.values, ...condition.values]
    const add = (rows: Iterable<unknown>) => {
      for (const [start, name, ...sums] of rows as Iterable<[string, string | null, ...bigint[]]>) {
        for (const { sign, period } of [part, ...part.also]) {
          this.#tallyAt(period ?? start, part, name).add(names, sums, sign)
        }
      }
    }
    const iterate = (sql: string) => this.#prepare(sql).raw().safeIntegers()
    if (!this.#isLarge(part)) {
      add(iterate(`${select} ${this.#groupBy(part)}`).iterate(...values))
      return
    }
    const ofPeriod = iterate(`${select} AND period = ? GROUP BY 2`)
    for (const start of this.#periodsOf(part)) add(ofPeriod.iterate(...values, start))
  }

  readLatencies(part: Part): void {
    const { latenciesFrom, latencies, condition } = part
    const [time, group] = this.#columns(part)
    const rows = this.#prepare(
      `SELECT ${time}, ${group.sql}, ${latencies} FROM ${latenciesFrom} WHERE ${condition.sql}`,
    )
      .raw()
      .iterate(...group.values, ...condition.values) as IterableIterator<
      [string, string | null, number | Buffer]
    >
    for (const [start, name, found] of rows) {
      for (const { sign, period } of [part, ...part.also]) {
        const histogram = this.#tallyAt(period ?? start, part, name).latencies
        if (typeof found === 'number') histogram.add(found, sign)
        else histogram.addStored(found, sign)
      }
    }
  }

  /** Counts open streams, with the index of the few rows without an end. */
  readOpenStreams(filter: RequestFilter, only: ReadonlySet<string> | undefined): void {
    if (filter.open === false) return
    const { group } = this.#grouping
    const { sql, values } = all([
      rowCondition(this.#database, { ...filter, open: true }),
      isInSums(this.#database),
    ])
    const period = this.#period
    const time = typeof period === 'object' ? 'timestamp' : this.#periodOf('timestamp')
    const rows = this.#database
      .prepare<unknown[]>(
        `SELECT ${time}, ${group.sql}, count(*) FROM requests WHERE ${sql} ${this.#groupBy()}`,
      )
      .raw()
      .iterate(...group.values, ...values) as IterableIterator<[string, string | null, number]>
    for (const [start, name, count] of rows) {
      const key = groupKey(this.#grouping, name)
      if (only?.has(key) === false) continue
      const at = typeof period === 'object' ? keyOf(period, start) : start
      this.#tallyOf(at, key).addOpenStreams(count)
    }
  }

  #columns(part: Part): [time: string, group: Part['group']] {
    const time = part.period === null ? this.#periodOf(part.time) : "''"
    return [time, this.#grouping === WHOLE ? WHOLE.group : part.group]
  }

  #periodOf(column: string): string {
    const period = this.#period
    if (typeof period !== 'string') return "''"
    const length = PERIOD_LENGTH[period]
    return column === 'timestamp'
      ? dialectOf(this.#database).beginning(column, length)
      : `substr(${column}, 1, ${length})`
  }

  /**
   * Returns the clause that groups by the first two columns, period and group. A column that is
   * constant is left out, because SQLite would sort by it too.
   */
  #groupBy(part?: Part): string {
    const isOnePeriod = this.#period === undefined || (part !== undefined && part.period !== null)
    const columns = [...(isOnePeriod ? [] : ['1']), ...(this.#grouping === WHOLE ? [] : ['2'])]
    return columns.length === 0 ? '' : `GROUP BY ${columns.join(', ')}`
  }

  #isLarge({ grain, from, condition, period }: Part): boolean {
    // A part of one local day has only a few hours: counting them takes as long as reading them.
    if (grain === null || this.#grouping === WHOLE || period !== null) return false
    if (!dialectOf(this.#database).sortsGroups) return false
    const sql = `SELECT count(*) FROM (SELECT 1 FROM ${from} WHERE ${condition.sql} LIMIT ?) AS first_ones`
    const count = this.#prepare(sql).pluck()
    return Number(count.get(...condition.values, MAX_SORTED)) >= MAX_SORTED
  }

  #periodsOf({ grain, range }: Part): string[] {
    const { sql, values } = all([
      ...dialectOf(this.#database).journalConditions(),
      { sql: "grain = ? AND grouped_by = ''", values: [grain] },
      inRange('period', range),
    ])
    const statement = this.#database.prepare<unknown[], string>(
      `SELECT period FROM rollup_totals WHERE ${sql} GROUP BY period ORDER BY period`,
    )
    return statement.pluck().all(...values)
  }

  #tallyAt(start: string, part: Part, group: string | null): Tally {
    return this.#tallyOf(start, this.#grouping === WHOLE ? '' : groupKey(this.#grouping, part.nameOf(group)))
  }

  #tallyOf(start: string, key: string): Tally {
    let groups = this.tallies.get(start)
    if (groups === undefined) {
      groups = new Map()
      this.tallies.set(start, groups)
    }
    let tally = groups.get(key)
    if (tally === undefined) {
      if (++this.#count > MAX_TALLIES) throw tooManyGroups()
      tally = new Tally()
      groups.set(key, tally)
    }
    return tally
  }
}

/** Removes tallies whose requests were all added and then subtracted again. */
function withoutEmpty(tallies: Tallies): Tallies {
  for (const [start, groups] of tallies) {
    for (const [name, tally] of groups) if (tally.requests === 0) groups.delete(name)
    if (groups.size === 0) tallies.delete(start)
  }
  return tallies
}

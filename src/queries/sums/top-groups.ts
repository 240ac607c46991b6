import type { Currency } from '../../folds/costs/row-cost.js'
import type { Dialect } from '../../store/dialect.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { isTooManyGroups, MAX_GROUPS, tooManyGroups } from '../errors.js'
import { type Grouping, groupKey, NO_NAME } from './grouping.js'
import { partsOf } from './parts.js'
import { Tally } from './tally.js'
import { type Question, sumOf, tallyRequests, tallyWhole, without } from './tally-requests.js'

/**
 * What groups are ranked by: the number of requests, or the cost in a currency. A refund counts as
 * much as a cost, so that neither can hide among the others.
 */
export type Rank = 'requests' | Currency

export interface TopGroups {
  /** The groups by their keys, the largest first. */
  groups: Map<string, Tally>
  /** All other groups, added up; null if there are none. */
  others: Tally | null
  /** How many others there are; null if they are too many to be held in memory. */
  otherCount: number | null
}

type GroupedQuestion = Question & { grouping: Grouping; period?: undefined }

/**
 * Reads the groups of a question. There may be millions, but only those asked for are held in
 * memory.
 *
 * @param limit how many groups are wanted; undefined: all.
 * @throws QueryError TOO_MANY_GROUPS without a limit; TIMED_OUT
 */
export function topGroups(
  database: QueryDatabase,
  question: GroupedQuestion,
  limit: number | undefined,
  rank: Rank,
): TopGroups {
  try {
    const groups = tallyRequests(database, question).get('') ?? new Map<string, Tally>()
    if (groups.size <= MAX_GROUPS || limit !== undefined) return firstOf(groups, limit ?? groups.size, rank)
  } catch (error) {
    if (!isTooManyGroups(error) || limit === undefined) throw error
    return readFirst(database, question, limit, rank)
  }
  throw tooManyGroups()
}

/** Takes the largest groups, and adds up the others. */
export function firstOf(all: ReadonlyMap<string, Tally>, limit: number, rank: Rank): TopGroups {
  const weights = new Map(
    [...all].map(([key, tally]) => [key, rank === 'requests' ? tally.requests : Math.abs(tally.cost(rank))]),
  )
  const sorted = [...all].sort(
    ([a], [b]) => (weights.get(b) ?? 0) - (weights.get(a) ?? 0) || compareKeys(a, b),
  )
  const rest = sorted.slice(limit)
  if (rest.length === 0) return { groups: new Map(sorted), others: null, otherCount: 0 }
  const others = sumOf(rest.map(([, tally]) => tally))
  return { groups: new Map(sorted.slice(0, limit)), others, otherCount: rest.length }
}

/** Requests without a name come before those with an empty one, as in SQL. */
function compareKeys(a: string, b: string): number {
  if (a === NO_NAME || b === NO_NAME) return a === NO_NAME ? -1 : 1
  return a < b ? -1 : 1
}

/**
 * @internal Reads the largest groups without holding the others in memory. `topGroups` calls it if
 *   there are too many groups.
 */
export function readFirst(
  database: QueryDatabase,
  question: GroupedQuestion,
  limit: number,
  rank: Rank,
): TopGroups {
  const keys = firstKeys(database, question, limit, rank)
  const found = tallyRequests(database, { ...question, only: new Set(keys) }).get('')
  const groups = new Map(keys.map((key) => [key, found?.get(key) ?? new Tally()]))
  const whole = tallyWhole(database, { ...question, grouping: undefined, only: undefined })
  return { groups, others: without(whole, groups.values()), otherCount: null }
}

/**
 * Finds the keys of the largest groups. The database counts all of them, SQLite in a temporary file
 * if there are many. Costs are added up as floating-point numbers here, which is exact enough to
 * rank groups.
 */
function firstKeys(database: QueryDatabase, question: GroupedQuestion, limit: number, rank: Rank): string[] {
  const { filter, grouping } = question
  const dialect = dialectOf(database)
  const parts = partsOf(database, { filter, grouping, period: undefined }).map((part) => {
    const { groupName, from, condition, sign } = part
    const requests = part.grain === null ? '1' : 'requests'
    const weight = rank === 'requests' ? requests : costSql(dialect, rank, part.grain === null)
    return {
      sql: `SELECT ${groupName.sql} AS name, ${sign} * ${requests} AS requests, ${sign} * ${weight} AS weight
        FROM ${from} WHERE ${condition.sql}`,
      values: [...groupName.values, ...condition.values],
    }
  })
  if (parts.length === 0) return []
  const names = database
    .prepare<unknown[], string | null>(
      `SELECT ${grouping.ignoresCase ? dialect.ignoringCase('name') : dialect.inByteOrder('name')}
       FROM (${parts.map(({ sql }) => sql).join(' UNION ALL ')}) AS parts
       GROUP BY 1 HAVING sum(requests) > 0 ORDER BY abs(sum(weight)) DESC, 1 NULLS FIRST LIMIT ?`,
    )
    .pluck()
    .all(...parts.flatMap(({ values }) => values), limit)
  return names.map((name) => groupKey(grouping, name))
}

/** Returns the SQL of the cost of a row, or of a roll-up, as a floating-point number. */
function costSql(dialect: Dialect, currency: Currency, isRow: boolean): string {
  const cost = `cost_${currency}`
  const [whole, rest] = isRow
    ? [dialect.wholeCost(cost), dialect.costBillionths(cost)]
    : [dialect.storedWholeCost(currency), dialect.storedCostBillionths(currency)]
  return `(${whole} + ${rest} / 1e9)`
}

import { safeIdentifier } from '../../events/value-kinds.js'
import type { Condition } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { rollupLabels } from '../../store/sqlite/rollups/rollup-labels.js'
import { tooManyGroups } from '../errors.js'
import { namedJournals } from '../journals.js'
import { ignoringCase } from '../window/filter.js'

/** How requests are put into groups. */
export interface Grouping {
  /**
   * What requests are grouped by: `model`, `provider`, `policy`, `label:<name>`, `service_tier`,
   * `error_status` or `journal`; null for no groups. The totals of the roll-ups have the same
   * names.
   */
  column: string | null
  /** The SQL of the group of a row, or of a roll-up's dimension. */
  group: Condition
  /** Whether spellings that differ in ASCII case are one group. */
  ignoresCase: boolean
  /** Whether the roll-ups keep sums by this column. */
  isKept: boolean
  /** Whether it is the journal, which is a column of every table. @default false */
  isJournal?: boolean
}

/**
 * The key of the group of requests that have no provider, policy, or label. It sorts before the
 * keys of names, as null does in SQL.
 */
export const NO_NAME = '\0'
/** The name of that group in answers, unless some requests really have it. */
export const UNKNOWN_GROUP = 'unknown'

function groupBy(column: string | null, sql: string, others: Partial<Grouping> = {}): Grouping {
  return { column, group: { sql, values: [] }, ignoresCase: false, isKept: true, ...others }
}

/** All requests as one group. */
export const WHOLE = groupBy(null, 'NULL')

export function groupByName(database: QueryDatabase, column: 'model' | 'provider'): Grouping {
  return groupBy(column, dialectOf(database).ignoringCase(column), { ignoresCase: true })
}

export const groupByPolicy = groupBy('policy', 'policy')

/** Groups by the tier that the provider billed. */
export const groupByServiceTier = groupBy('service_tier', 'service_tier', { isKept: false })

const STATUS = "coalesce(CAST(error_status AS TEXT), 'none')"
/** Groups by the error's status, as text. Requests without one, successful or not, are `none`. */
export const groupByErrorStatus = groupBy('error_status', STATUS, { isKept: false })

/** Groups by the journal, whose number is the key. */
export function groupByJournal(database: QueryDatabase): Grouping {
  return groupBy('journal', `CAST(${dialectOf(database).journalColumn} AS TEXT)`, { isJournal: true })
}

export function groupByLabel(database: QueryDatabase, label: string): Grouping {
  const name = safeIdentifier(label)
  const isKept = rollupLabels(database).includes(name)
  return { column: `label:${name}`, group: dialectOf(database).label(name), ignoresCase: false, isKept }
}

/** Returns the key of a group. */
export function groupKey({ column, ignoresCase }: Grouping, name: string | null): string {
  if (column === null) return ''
  if (name === null) return NO_NAME
  return ignoresCase ? ignoringCase(name) : name
}

/**
 * Finds the names of groups by their keys, each in the spelling that was seen first. {@link
 * NO_NAME} is called `unknown`, in parentheses if another group really has that name.
 *
 * @param keys the keys of the groups whose names are wanted.
 */
export function namesOfGroups(
  database: QueryDatabase,
  grouping: Grouping,
  keys: Iterable<string>,
): Map<string, string> {
  const { column, ignoresCase, isJournal } = grouping
  const names = new Map([...keys].map((key) => [key, key]))
  const hasUnnamed = names.delete(NO_NAME)
  if (isJournal) {
    for (const { number, name } of namedJournals(database)) {
      if (names.has(String(number))) names.set(String(number), name)
    }
  } else if (column !== null && ignoresCase) {
    const wanted = new Set(names.keys())
    for (const spelling of wanted.size === 0 ? [] : spellings(database, column)) {
      const key = ignoringCase(spelling)
      if (wanted.delete(key)) names.set(key, spelling)
      if (wanted.size === 0) break
    }
  }
  if (!hasUnnamed) return names
  const taken = new Set(names.values())
  let unnamed = UNKNOWN_GROUP
  while (taken.has(unnamed)) unnamed = `(${unnamed})`
  return names.set(NO_NAME, unnamed)
}

/**
 * Lists every model of the database in the spelling that was seen first, in order.
 *
 * @throws QueryError TOO_MANY_GROUPS
 */
export function allModels(database: QueryDatabase, limit: number): string[] {
  const names = new Map<string, string>()
  for (const spelling of spellings(database, 'model')) {
    const key = ignoringCase(spelling)
    if (!names.has(key)) names.set(key, spelling)
    if (names.size > limit) throw tooManyGroups()
  }
  return [...names].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, name]) => name)
}

/** Reads names in the order in which they were seen, once for each dimension that has the name. */
function spellings(database: QueryDatabase, column: string): IterableIterator<string> {
  // The ids of dimensions are in the order in which they were seen.
  const sql = `SELECT ${column} FROM rollup_dimensions WHERE ${column} IS NOT NULL ORDER BY id`
  return database.prepare<[], string>(sql).pluck().iterate()
}

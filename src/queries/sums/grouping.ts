import { safeIdentifier } from '../../events/identifier.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { rollupLabels } from '../../store/sqlite/rollups/rollup-labels.js'
import { tooManyGroups } from '../errors.js'
import { namedJournals } from '../journals.js'
import type { Condition } from '../window/condition.js'
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

/** All requests as one group. */
export const WHOLE: Grouping = {
  column: null,
  group: { sql: 'NULL', values: [] },
  ignoresCase: false,
  isKept: true,
}

export function groupByName(database: QueryDatabase, column: 'model' | 'provider'): Grouping {
  const group = { sql: dialectOf(database).ignoringCase(column), values: [] }
  return { column, group, ignoresCase: true, isKept: true }
}

export const groupByPolicy: Grouping = {
  column: 'policy',
  group: { sql: 'policy', values: [] },
  ignoresCase: false,
  isKept: true,
}

/** Groups by the tier that the provider billed. */
export const groupByServiceTier: Grouping = {
  column: 'service_tier',
  group: { sql: 'service_tier', values: [] },
  ignoresCase: false,
  isKept: false,
}

/**
 * Groups by the status of the error, as text. Requests without one, successful or not, are `none`.
 */
export const groupByErrorStatus: Grouping = {
  column: 'error_status',
  group: { sql: "coalesce(CAST(error_status AS TEXT), 'none')", values: [] },
  ignoresCase: false,
  isKept: false,
}

/** Groups by the journal, whose number is the key. */
export function groupByJournal(database: QueryDatabase): Grouping {
  const group = { sql: `CAST(${dialectOf(database).journal} AS TEXT)`, values: [] }
  return { column: 'journal', group, ignoresCase: false, isKept: true, isJournal: true }
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
  if (names.has(NO_NAME)) {
    const ofOthers = namesOfGroups(
      database,
      grouping,
      [...names.keys()].filter((key) => key !== NO_NAME),
    )
    const taken = new Set(ofOthers.values())
    let name = UNKNOWN_GROUP
    while (taken.has(name)) name = `(${name})`
    return ofOthers.set(NO_NAME, name)
  }
  if (isJournal) {
    for (const { number, name } of namedJournals(database)) {
      if (names.has(String(number))) names.set(String(number), name)
    }
    return names
  }
  if (column === null || !ignoresCase) return names
  const wanted = new Set(names.keys())
  for (const spelling of spellings(database, column)) {
    if (wanted.size === 0) break
    const key = ignoringCase(spelling)
    if (wanted.delete(key)) names.set(key, spelling)
  }
  return names
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

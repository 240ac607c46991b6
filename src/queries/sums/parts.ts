import type { SumName } from '../../folds/sums/rollup-cells.js'
import { all, type Condition, inRange, type TextRange } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import type { RollupGrain } from '../../store/rollup-writing.js'
import { NAME_OF_GROUP, readGroupNames } from '../../store/sqlite/rollups/total-names.js'
import { groupName, isLongName } from '../../store/total-keys.js'
import { isInSums } from '../window/added-rows.js'
import { withinDeadline } from '../window/deadline.js'
import {
  dimensionConditions,
  isOfDimensions,
  type RequestFilter,
  rollupCondition,
  rowCondition,
  windowRange,
} from '../window/filter.js'
import type { LocalPeriods } from '../window/local-periods.js'
import { preparingOnce } from '../window/statements.js'
import { type Grain, type Period, type Term, windowTerms } from '../window/terms.js'
import { type Grouping, NO_NAME, WHOLE } from './grouping.js'
import { rollupSums, rowSums } from './tally.js'

/** The aspects of a question that decide where its answer is read from. */
export interface PartsQuestion {
  filter: RequestFilter
  grouping: Grouping
  /** Undefined: requests aren't grouped by time. */
  period: Period | LocalPeriods | undefined
  /** The keys of the groups that are wanted; undefined: all. */
  only?: ReadonlySet<string> | undefined
}

/** To which period the rows of a part belong, and whether they are added to it or subtracted. */
export interface PartUse {
  sign: 1 | -1
  /** Null: the period of each row is the beginning of the part's column `time`. */
  period: string | null
}

/** Rows of one table that are added to an answer, or subtracted from it. */
export interface Part extends PartUse {
  /**
   * Other periods that need the same rows, so that they are read only once: rows that are added to
   * the end of one local day are mostly subtracted from the next one, which is read as a whole day
   * of UTC.
   */
  also: PartUse[]
  /** Null: the rows are those of `requests`. */
  grain: RollupGrain | null
  /** The tables of the sums and of the latencies. */
  from: string
  latenciesFrom: string
  /** The column of the latencies: a row has one, a roll-up those of many requests. */
  latencies: string
  /** The column that begins with the period. */
  time: 'timestamp' | 'period'
  range: TextRange
  condition: Condition
  /** The SQL of what rows are grouped by. */
  group: Condition
  /** The SQL of a group's name. */
  groupName: Condition
  /** Returns a group's name, given the value of `group`. */
  nameOf(group: string | null): string | null
  /** The columns of a SELECT that `Tally.add` takes. */
  sums(names: readonly SumName[]): string
}

/**
 * Finds the parts that add up to the requests that a question is about. They are roll-ups wherever
 * possible. Rows are needed at the ends of the window, and for columns without roll-ups.
 */
export function partsOf(database: QueryDatabase, question: PartsQuestion): Part[] {
  const { filter, period } = question
  const coarsest = coarsestGrain(database, question)
  const hasRows = rowProbe(database)
  const nameOf = readGroupNames(database)
  const stretches =
    typeof period === 'object' ? period.stretches : [{ key: null, range: windowRange(filter) }]
  const parts = new Map<string, Part>()
  for (const { key, range } of stretches) {
    for (const term of windowTerms(range, coarsest, hasRows)) {
      const { sign, grain } = term
      const same = parts.get(keyOfRows(term))
      if (same !== undefined) same.also.push({ sign, period: key })
      else {
        const part =
          grain === 'row'
            ? partOfRows(database, question, term)
            : partOfRollups(database, question, term, grain, nameOf)
        parts.set(keyOfRows(term), { ...part, period: key, also: [] })
      }
    }
  }
  return [...parts.values()]
}

/** Returns a key that terms with the same rows share. */
function keyOfRows({ grain, range: { from, after, to, before } }: Term): string {
  return JSON.stringify([grain, from, after, to, before])
}

function coarsestGrain(database: QueryDatabase, { filter, grouping, period }: PartsQuestion): Grain {
  const { success, streaming } = filter
  // The roll-ups have no tokens and costs of failures alone.
  if (success !== undefined || streaming !== undefined) return 'row'
  if (period === 'minute' || !grouping.isKept || !isOfDimensions(database, filter)) return 'row'
  return period === 'hour' || (typeof period === 'object' && period.of === 'hour') ? 'hour' : 'day'
}

function rowProbe(database: QueryDatabase): (range: TextRange) => boolean {
  const prepare = preparingOnce(database)
  return (range) => {
    const { sql, values } = dialectOf(database).timestampIn('timestamp', range)
    return prepare(`SELECT 1 FROM requests WHERE ${sql} LIMIT 1`).get(...values) !== undefined
  }
}

/** Returns the table and condition for the sums of periods, without groups. */
export function rollupsOf(
  database: QueryDatabase,
  filter: RequestFilter,
  grain: RollupGrain,
  range: TextRange,
): Pick<Part, 'from' | 'condition'> {
  const question = { filter, grouping: WHOLE, period: undefined }
  return partOfRollups(database, question, { sign: 1, grain, range }, grain, (name) => name)
}

type PartOfTerm = Omit<Part, 'period' | 'also'>

function partOfRows(
  database: QueryDatabase,
  { filter, grouping, only }: PartsQuestion,
  { sign, range }: Term,
): PartOfTerm {
  return {
    sign,
    grain: null,
    from: 'requests',
    latenciesFrom: 'requests',
    latencies: 'latency_ms',
    time: 'timestamp',
    range,
    condition: all([
      rowCondition(database, filter, range),
      isInSums(database),
      ...isOneOf(database, grouping, only),
    ]),
    group: grouping.group,
    groupName: grouping.group,
    nameOf: (group) => group,
    sums: (names) => rowSums(dialectOf(database), names),
  }
}

/**
 * Takes totals if there are some by everything that filter and grouping ask for, and otherwise the
 * roll-ups of all dimensions.
 */
function partOfRollups(
  database: QueryDatabase,
  question: PartsQuestion,
  { sign, range }: Term,
  grain: RollupGrain,
  nameOf: (groupName: string) => string | null,
): PartOfTerm {
  const { filter, grouping, only } = question
  const dialect = dialectOf(database)
  const sums = (names: readonly SumName[]) => rollupSums(dialect, names)
  const common = { sign, grain, latencies: 'buckets', time: 'period', range, sums } as const
  const ofRange = [
    ...dialect.journalConditions(filter.journal),
    { sql: 'grain = ?', values: [grain] },
    inRange('period', range),
  ]
  const own = [...ofRange, ...withinDeadline(database, filter.deadline)]
  const asked = conditionsOnNames(database, filter)
  const columns = new Set(asked.map(({ column }) => column))
  const { isJournal = false } = grouping
  if (grouping.column !== null && !isJournal) columns.add(grouping.column)
  const [groupedBy = '', ...others] = columns
  if (others.length === 0 && (groupedBy === '' || grain === 'day')) {
    const conditions = asked.map(({ condition }) => condition)
    return {
      ...common,
      from: 'rollup_totals',
      latenciesFrom: 'rollup_total_latencies',
      condition: all([
        { sql: 'grouped_by = ?', values: [groupedBy] },
        ...own,
        ...conditions,
        ...(isJournal ? isOneOf(database, grouping, only) : isOneOfTotals(database, grouping, only)),
      ]),
      group: isJournal ? grouping.group : { sql: 'group_name', values: [] },
      groupName: isJournal ? grouping.group : { sql: NAME_OF_GROUP, values: [] },
      nameOf: (group) => (isJournal ? group : nameOf(String(group))),
    }
  }
  // The names of groups are columns of the dimensions. Without groups, the few ids of dimensions
  // are enough.
  const isWhole = grouping === WHOLE || isJournal
  const tables = isWhole ? (table: string) => table : dialect.withDimensions
  const ofDimension = isWhole ? [rollupCondition(database, filter)] : dimensionConditions(database, filter)
  return {
    ...common,
    from: tables('rollups'),
    latenciesFrom: tables('rollup_latencies'),
    condition: all([...own, ...ofDimension, ...isOneOf(database, grouping, only)]),
    group: grouping.group,
    groupName: grouping.group,
    nameOf: (group) => group,
  }
}

/** Returns the conditions of a filter on the names of totals, with the column of each. */
function conditionsOnNames(database: QueryDatabase, filter: RequestFilter) {
  const { model, labels = {}, withoutLabel } = filter
  const provider = filter.withoutProvider ? null : filter.provider
  const policy = filter.withoutPolicy ? null : filter.policy
  const conditions: { column: string; condition: Condition }[] = []
  const add = (column: string, name: string | null | undefined, ignoresCase = false) => {
    if (name !== undefined) conditions.push({ column, condition: isTotalOf(database, [name], ignoresCase) })
  }
  add('model', model, true)
  add('provider', provider, true)
  add('policy', policy)
  for (const [label, value] of Object.entries(labels)) add(`label:${label}`, value)
  if (withoutLabel !== undefined) add(`label:${withoutLabel}`, null)
  return conditions
}

function isOneOf(database: QueryDatabase, { group }: Grouping, only: PartsQuestion['only']): Condition[] {
  if (only === undefined) return []
  const list = dialectOf(database).list([...only].filter((key) => key !== NO_NAME))
  const isNamed = `(${group.sql}) IN ${list.sql}`
  const values = [...group.values, ...list.values]
  if (!only.has(NO_NAME)) return [{ sql: isNamed, values }]
  return [{ sql: `(${isNamed} OR (${group.sql}) IS NULL)`, values: [...values, ...group.values] }]
}

function isOneOfTotals(
  database: QueryDatabase,
  { ignoresCase }: Grouping,
  only: PartsQuestion['only'],
): Condition[] {
  if (only === undefined) return []
  const names = [...only].map((key) => (key === NO_NAME ? null : key))
  return [isTotalOf(database, names, ignoresCase)]
}

/**
 * Returns the condition that a total has one of these names.
 *
 * @param ignoresCase whether names that differ only in ASCII case match too.
 */
function isTotalOf(
  database: QueryDatabase,
  names: readonly (string | null)[],
  ignoresCase: boolean,
): Condition {
  const dialect = dialectOf(database)
  // The key of a long name is a hash, which differs with the case, so long names are looked up.
  const [sought, known] = ignoresCase
    ? [names.filter(isLongName), names.filter((name) => !isLongName(name))]
    : [[], names]
  const long = dialect.list(sought, true)
  const isLong = `group_name IN (SELECT key FROM rollup_names WHERE ${dialect.ignoringCase('name')} IN ${long.sql})`
  if (known.length === 0) return { sql: isLong, values: long.values }
  const keys = known.map(groupName)
  const list = dialect.list(keys, ignoresCase)
  const equals = ignoresCase ? dialect.equalsIgnoringCase('group_name') : 'group_name = ?'
  const column = ignoresCase ? dialect.ignoringCase('group_name') : 'group_name'
  const isKnown =
    keys.length === 1
      ? { sql: equals, values: keys }
      : { sql: `${column} IN ${list.sql}`, values: list.values }
  if (sought.length === 0) return isKnown
  return { sql: `(${isKnown.sql} OR ${isLong})`, values: [...isKnown.values, ...long.values] }
}

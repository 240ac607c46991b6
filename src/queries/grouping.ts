import { safeIdentifier } from '../events/identifier.js'
import type { Database } from '../storage/database.js'
import { rollupLabels } from '../storage/rollup-tables.js'
import type { Condition, SqlValue } from './condition.js'
import { foldCase, labelValue } from './filter.js'
import { uncountedRows } from './uncounted.js'

/** A combination that the roll-ups are kept by. */
export interface Dimension {
  id: number
  model: string
  provider: string | null
  policy: string | null
  labels: string
}

/** How requests are put into groups. */
export interface Grouping {
  /** What the totals of roll-ups call it: `model`, `provider`, `policy` or `label:<name>`; null for no groups. */
  column: string | null
  /** A row's group in SQL. */
  ofRow: Condition
  /** A roll-up's group; null where the roll-ups aren't kept by it. */
  ofDimension: ((dimension: Dimension) => string | null) | null
  /** How an answer names a group. */
  name(group: string | null): string
}

/** The name of the group of requests that have no provider, policy, or label. */
export const UNKNOWN_GROUP = 'unknown'

/** Groups by model or by provider: spellings that differ in ASCII case are one, under the one that came first. */
export function groupByName(database: Database, column: 'model' | 'provider'): Grouping {
  const names = new Map(firstSpellings(database, column).map((name) => [foldCase(name), name]))
  // By spelling too: an answer asks for the name of each row that it reads.
  const ofSpelling = new Map<string, string>()
  const nameOf = (spelling: string) => {
    let name = ofSpelling.get(spelling)
    if (name === undefined) {
      name = names.get(foldCase(spelling)) ?? spelling
      ofSpelling.set(spelling, name)
    }
    return name
  }
  return {
    column,
    ofRow: { sql: `${column} COLLATE NOCASE`, values: [] },
    ofDimension: (dimension) => dimension[column],
    name: (group) => (group === null ? UNKNOWN_GROUP : nameOf(group)),
  }
}

export const groupByPolicy: Grouping = {
  column: 'policy',
  ofRow: { sql: 'policy', values: [] },
  ofDimension: ({ policy }) => policy,
  name: (group) => group ?? UNKNOWN_GROUP,
}

export function groupByLabel(database: Database, label: string): Grouping {
  const name = safeIdentifier(label)
  return {
    column: `label:${name}`,
    ofRow: labelValue(name),
    ofDimension: rollupLabels(database).includes(name) ? ({ labels }) => labelOf(labels, name) : null,
    name: (group) => group ?? UNKNOWN_GROUP,
  }
}

/** Every model, or provider, of the database in the spelling that came first, in order. */
export function firstSpellings(database: Database, column: 'model' | 'provider'): string[] {
  const names = new Map<string, string>()
  const keep = (sql: string, values: SqlValue[]) => {
    for (const name of database
      .prepare<unknown[], string>(sql)
      .pluck()
      .iterate(...values)) {
      const folded = foldCase(name)
      if (!names.has(folded)) names.set(folded, name)
    }
  }
  // Dimensions have their ids in the order in which they came.
  keep(`SELECT ${column} FROM rollup_dimensions WHERE ${column} IS NOT NULL ORDER BY id`, [])
  const uncounted = uncountedRows(database)
  if (uncounted !== null) {
    keep(
      `SELECT ${column} FROM requests WHERE ${uncounted.sql} AND ${column} IS NOT NULL ORDER BY id`,
      uncounted.values,
    )
  }
  return [...names].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, name]) => name)
}

/** Gives the name of a dimension's group by its id. */
export function groupsOfDimensions(
  database: Database,
  { ofDimension, name }: Grouping,
): (id: number) => string {
  const dimensions = database.prepare<[], Dimension>('SELECT * FROM rollup_dimensions').all()
  const names = new Map(dimensions.map((dimension) => [dimension.id, name(ofDimension?.(dimension) ?? null)]))
  return (id) => names.get(id) ?? name(null)
}

function labelOf(labels: string, name: string): string | null {
  const value: unknown = Object.entries(JSON.parse(labels)).find(([key]) => key === name)?.[1]
  return typeof value === 'string' ? value : null
}

/** A value that a statement may be given. */
export type SqlValue = string | number | bigint | null

/** A piece of SQL that is true or false for a row, with the values of its question marks. */
export interface Condition {
  sql: string
  values: SqlValue[]
}

/** A range of strings, in the order of their bytes. A bound that is left out doesn't limit it. */
export interface TextRange {
  /** This one or any after it. */
  from?: string | undefined
  /** Any after this one. */
  after?: string | undefined
  /** This one or any before it. */
  to?: string | undefined
  /** Any before this one. */
  before?: string | undefined
}

/** Joins conditions with AND; true for none. */
export function all(conditions: readonly Condition[]): Condition {
  if (conditions.length === 0) return { sql: 'TRUE', values: [] }
  return {
    sql: conditions.map(({ sql }) => sql).join(' AND '),
    values: conditions.flatMap(({ values }) => values),
  }
}

/** Whether a column lies in a range. */
export function inRange(column: string, { from, after, to, before }: TextRange): Condition {
  // With two bounds SQLite wouldn't use the columns that follow this one in an index.
  if (from !== undefined && from === to) return { sql: `${column} = ?`, values: [from] }
  const bounds: [string, string | undefined][] = [
    ['>=', from],
    ['>', after],
    ['<=', to],
    ['<', before],
  ]
  const given = bounds.flatMap(([operator, value]) => (value === undefined ? [] : [{ operator, value }]))
  return all(given.map(({ operator, value }) => ({ sql: `${column} ${operator} ?`, values: [value] })))
}

/** What a statement may be given. */
export type SqlValue = string | number | bigint | null

/** A piece of SQL, true or false of a row, with the values of its question marks. */
export interface Condition {
  sql: string
  values: SqlValue[]
}

/** A stretch of texts, in the order of their bytes. What is left out is no bound. */
export interface TextRange {
  /** At or behind this one. */
  from?: string | undefined
  /** Behind this one. */
  after?: string | undefined
  /** At or before this one. */
  to?: string | undefined
  /** Before this one. */
  before?: string | undefined
}

/** All of them; true for none. */
export function all(conditions: readonly Condition[]): Condition {
  if (conditions.length === 0) return { sql: 'TRUE', values: [] }
  return {
    sql: conditions.map(({ sql }) => sql).join(' AND '),
    values: conditions.flatMap(({ values }) => values),
  }
}

/** That a column lies in a range. */
export function inRange(column: string, { from, after, to, before }: TextRange): Condition {
  // By two bounds SQLite would not find what stands behind the column in an index.
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

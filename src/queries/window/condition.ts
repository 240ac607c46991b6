import type { Condition } from '../../store/condition.js'
import type { QueryDatabase } from '../../store/query-database.js'

export { all, type Condition, inRange, type SqlValue, type TextRange } from '../../store/condition.js'

/** Counts the requests that meet a condition. */
export function countRows(database: QueryDatabase, { sql, values }: Condition): number {
  const count = database.prepare<unknown[], number>(`SELECT count(*) FROM requests WHERE ${sql}`)
  return count.pluck().get(...values) as number
}

import { all, type Condition } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { countRows, type RequestFilter, rowCondition } from './filter.js'

// Other programs may add rows after the journal has begun. Lists show them like any other row, but
// no sum counts them: sums count rows from the journal, and rows older than it.

/** Whether the sums count a row. */
export function isInSums(database: QueryDatabase): Condition {
  return { sql: dialectOf(database).isInSums, values: [] }
}

/** Counts the rows that other programs have added and that match a filter. */
export function countAddedRows(database: QueryDatabase, filter: RequestFilter = {}): number {
  const { isAdded } = dialectOf(database)
  if (isAdded === null) return 0
  // There are hardly ever any, and the index of such rows shows that at once.
  const added = database.prepare(`SELECT 1 FROM requests WHERE ${isAdded} LIMIT 1`).get()
  if (added === undefined) return 0
  return countRows(database, all([{ sql: isAdded, values: [] }, rowCondition(database, filter)]))
}

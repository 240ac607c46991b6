import type { Database } from '../../store/sqlite/connection/database.js'
import type { Condition } from './condition.js'
import { type RequestFilter, rowCondition } from './filter.js'

// Rows that other programs have added after the journal began. Lists have them like any other row.
// No sum has them: sums count what came from the journal, and what was there before it.

/** Whether the sums count a row. */
export const IS_COUNTED: Condition = {
  sql: '(segment_id IS NOT NULL OR id <= (SELECT last_id FROM rollup_unjournaled))',
  values: [],
}

/** Counts the rows that other programs have added, by an index that has nearly none. */
export function countAddedRows(database: Database, filter: RequestFilter = {}): number {
  const { sql, values } = rowCondition(filter)
  const count = database.prepare<unknown[], { rows: number }>(
    `SELECT count(*) AS rows FROM requests INDEXED BY idx_requests_unjournaled
     WHERE segment_id IS NULL AND id > (SELECT last_id FROM rollup_unjournaled) AND ${sql}`,
  )
  return count.get(...values)?.rows ?? 0
}

import type { Database } from '../../store/sqlite/connection/database.js'
import { all, type Condition, countRows } from './condition.js'
import { type RequestFilter, rowCondition } from './filter.js'

// Other programs may add rows after the journal began. Lists have them like any other row, but no
// sum does: sums count rows from the journal, and those that were there before it.

/** Whether the sums count a row. */
export const IS_COUNTED: Condition = {
  sql: '(segment_id IS NOT NULL OR id <= (SELECT last_id FROM rollup_unjournaled))',
  values: [],
}

const IS_ADDED = 'segment_id IS NULL AND id > (SELECT last_id FROM rollup_unjournaled)'

/** Counts the rows that other programs have added and that match a filter. */
export function countAddedRows(database: Database, filter: RequestFilter = {}): number {
  // Nearly always there are none, which the index of such rows tells at once.
  const added = database.prepare(`SELECT 1 FROM requests WHERE ${IS_ADDED} LIMIT 1`).get()
  if (added === undefined) return 0
  return countRows(database, all([{ sql: IS_ADDED, values: [] }, rowCondition(filter)]))
}

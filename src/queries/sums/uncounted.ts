import type { Database } from '../../store/sqlite/connection/database.js'
import type { Condition } from '../window/condition.js'

/**
 * Rows that another program has written into the table since the projector counted such rows last: the roll-ups don't
 * have them yet. Null where there are none, as nearly always.
 */
export function uncountedRows(database: Database): Condition | null {
  const counted = database.prepare<[], number>('SELECT last_id FROM rollup_unjournaled').pluck().get() ?? 0
  const condition = { sql: 'segment_id IS NULL AND id > ?', values: [counted] }
  const found = database.prepare(`SELECT 1 FROM requests WHERE ${condition.sql} LIMIT 1`).get(counted)
  return found === undefined ? null : condition
}

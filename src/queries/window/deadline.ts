import type { Database } from '../../store/sqlite/connection/database.js'
import { QueryError } from '../errors.js'
import type { Condition } from './condition.js'

/**
 * How many rows pass between two looks at the clock. Measured: a call of the function takes 0.12
 * µs, and a look as much again.
 */
const ROWS_BETWEEN = 256

const prepared = new WeakSet<Database>()

/** Gives a connection the SQL function that {@link withinDeadline} calls. */
export function prepareDeadlines(database: Database): void {
  if (prepared.has(database)) return
  let rows = 0
  database.function('within_deadline', { directOnly: true }, (deadline: unknown) => {
    if (++rows % ROWS_BETWEEN === 0 && performance.now() > Number(deadline)) {
      throw new QueryError(
        'TIMED_OUT',
        'the question takes too long: ask for a shorter window, or with a filter',
      )
    }
    return 1
  })
  prepared.add(database)
}

/**
 * A condition that is true of every row, and ends the statement with QueryError TIMED_OUT once the
 * deadline has passed: one step of SQLite may read millions of rows, while nothing else runs on its
 * thread.
 */
export function withinDeadline(deadline: number | undefined): Condition[] {
  return deadline === undefined ? [] : [{ sql: 'within_deadline(?)', values: [deadline] }]
}

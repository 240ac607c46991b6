import type { Condition } from '../../store/condition.js'
import type { QueryDatabase } from '../../store/query-database.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import { QueryError } from '../errors.js'

/**
 * How many rows are read between two checks of the clock. Measured: a call of the function takes
 * 0.12 µs, and reading the clock as much again.
 */
const ROWS_BETWEEN_CHECKS = 256

const prepared = new WeakSet<QueryDatabase>()

/**
 * Prepares a connection for {@link withinDeadline}: PostgreSQL's gets the deadline itself, and
 * SQLite's the SQL function that checks it.
 */
export function prepareDeadlines(database: QueryDatabase, deadline: number): void {
  if (database.setDeadline !== undefined) {
    database.setDeadline(deadline, timedOut)
    return
  }
  if (prepared.has(database)) return
  let rows = 0
  const sqlite = database as Database
  sqlite.function('within_deadline', { directOnly: true }, (deadline: unknown) => {
    if (++rows % ROWS_BETWEEN_CHECKS === 0 && performance.now() > Number(deadline)) throw timedOut()
    return 1
  })
  prepared.add(database)
}

/** The error of a question whose deadline has passed. */
export function timedOut(): QueryError {
  return new QueryError(
    'TIMED_OUT',
    'the question takes too long: ask for a shorter window, or with a filter',
  )
}

/**
 * Returns a condition that every row meets, and that ends the statement with QueryError TIMED_OUT
 * once the deadline has passed: one step of SQLite may read millions of rows, and nothing else runs
 * on its thread meanwhile. PostgreSQL needs none, because its connection has the deadline.
 */
export function withinDeadline(database: QueryDatabase, deadline: number | undefined): Condition[] {
  if (deadline === undefined || database.setDeadline !== undefined) return []
  return [{ sql: 'within_deadline(?)', values: [deadline] }]
}

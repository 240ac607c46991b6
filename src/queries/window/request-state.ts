import { isUnended, unfinishedUntil } from '../../folds/sums/counted-values.js'
import type { Condition } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'

/**
 * Whether a request has ended. A stream whose end isn't known is `open`, and after an hour
 * `unfinished`, because its gateway has probably died. Every other request is `finished`.
 */
export type RequestState = 'open' | 'unfinished' | 'finished'

/** The columns on which the state of a row depends. */
export interface StateRow {
  timestamp: string
  streaming: number
  success: number
  input_tokens: number | null
  output_tokens: number | null
  stream_duration_ms: number | null
  completed_segment_id: number | null
}

/** @param now milliseconds since 1970. */
export function requestState(row: StateRow, now: number): RequestState {
  const isCompleted = row.completed_segment_id !== null
  const stream = { ...row, streaming: row.streaming !== 0, success: row.success !== 0, isCompleted }
  if (!isUnended(stream)) return 'finished'
  return row.timestamp > unfinishedUntil(now) ? 'open' : 'unfinished'
}

/**
 * Returns the condition that rows are, or aren't, in one of the two states of streams without an
 * end. What distinguishes the states is the time at which the stream began. For rows in a state,
 * that is a bound of the filter's range, so that the index of these streams finds them.
 */
export function stateCondition(
  database: QueryDatabase,
  state: 'open' | 'unfinished',
  isInState: boolean,
  now: number,
): Condition {
  const { isUnended } = dialectOf(database)
  if (isInState) return { sql: isUnended, values: [] }
  const sql = `NOT (${isUnended} AND timestamp ${state === 'open' ? '>' : '<='} ?)`
  return { sql, values: [unfinishedUntil(now)] }
}

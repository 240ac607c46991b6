import { isUnended, unfinishedUntil } from '../../folds/sums/unended-streams.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import type { Condition } from './condition.js'

/**
 * How far a request has come. A stream whose end isn't known is `open`, and after an hour
 * `unfinished`, because its gateway has probably died. Everything else is `finished`.
 */
export type RequestState = 'open' | 'unfinished' | 'finished'

/** The columns that the state of a row depends on. */
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
 * Whether rows are, or aren't, in one of the states of streams without an end. The time that tells
 * the states apart is a bound of the filter's range: with it the index of these streams finds those
 * in the state.
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

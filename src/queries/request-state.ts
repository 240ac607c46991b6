import type { Condition } from './condition.js'

/**
 * How far a request has come: a stream whose end isn't known is `open`, and after an hour `unfinished`, since its
 * gateway has probably died. Everything else is `finished`.
 */
export type RequestState = 'open' | 'unfinished' | 'finished'

/** What the state of a row depends on. */
export interface StateRow {
  timestamp: string
  streaming: number
  success: number
  input_tokens: number | null
  output_tokens: number | null
  stream_duration_ms: number | null
  completed_segment_id: number | null
}

/** How long a stream may take before it counts as unfinished, in milliseconds. */
const OPEN_FOR_MS = 3_600_000

/**
 * Whether nothing says how a stream ended, as SQL over the columns of `requests`. It has ended with its completion, with
 * its failure, or where its usage was known when it was logged: then there is no completion to wait for.
 */
export const HAS_NO_END = `streaming <> 0 AND completed_segment_id IS NULL AND stream_duration_ms IS NULL
  AND input_tokens IS NULL AND output_tokens IS NULL AND success <> 0`

/** The timestamp up to which streams without an end are unfinished. @param now milliseconds since 1970. */
export function unfinishedUntil(now: number): string {
  return new Date(now - OPEN_FOR_MS).toISOString()
}

/** @param now milliseconds since 1970. */
export function requestState(row: StateRow, now: number): RequestState {
  const hasNoEnd =
    row.streaming !== 0 &&
    row.completed_segment_id === null &&
    row.stream_duration_ms === null &&
    row.input_tokens === null &&
    row.output_tokens === null &&
    row.success !== 0
  if (!hasNoEnd) return 'finished'
  return row.timestamp > unfinishedUntil(now) ? 'open' : 'unfinished'
}

/** Whether rows are, or aren't, in one of the states of streams without an end. */
export function stateCondition(state: 'open' | 'unfinished', isInState: boolean, now: number): Condition {
  const sql = `${HAS_NO_END} AND timestamp ${state === 'open' ? '>' : '<='} ?`
  return { sql: isInState ? sql : `NOT (${sql})`, values: [unfinishedUntil(now)] }
}

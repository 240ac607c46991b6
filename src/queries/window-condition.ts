import type { Window } from './window.js'

/**
 * The window as an SQL condition on `timestamp` with its parameters. A missing bound is no condition at all, so that
 * all time also has rows from before the journal whose timestamp is no timestamp.
 */
export function windowCondition({ since, until }: Window): { sql: string; parameters: Window } {
  const conditions: string[] = []
  const parameters: Window = {}
  if (since !== undefined) {
    conditions.push('timestamp >= @since')
    parameters.since = since
  }
  if (until !== undefined) {
    conditions.push('timestamp <= @until')
    parameters.until = until
  }
  return { sql: conditions.length === 0 ? 'TRUE' : conditions.join(' AND '), parameters }
}

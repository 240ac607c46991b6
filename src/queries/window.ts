/** Which requests a question is about. Both ends are inclusive canonical timestamps; left out: no bound. */
export interface Window {
  since?: string | undefined
  until?: string | undefined
}

/** How an answer names a missing lower bound. */
export const BEGINNING_OF_TIME = '0001-01-01T00:00:00.000Z'
/** How an answer names a missing upper bound. */
export const END_OF_TIME = '9999-12-31T23:59:59.999Z'

/** The window as an answer echoes it. */
export function echoWindow({ since, until }: Window): { since: string; until: string } {
  return { since: since ?? BEGINNING_OF_TIME, until: until ?? END_OF_TIME }
}

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

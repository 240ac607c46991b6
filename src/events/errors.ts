/** One thing that is wrong with an event. */
export interface EventProblem {
  /** The field's name, `labels.team` for a label, `event` for the event as a whole. */
  field: string
  /** What was found, shortened, and without secrets. */
  found: string
  /** What is allowed there. */
  expected: string
}

/** How the message of each InvalidEventError begins. */
export const INVALID_EVENT = 'Invalid request log event: '

/** The most problems that an error names, since an event may have thousands of wrong labels. */
const MAX_PROBLEMS = 20

/**
 * Thrown by `append`, and passed to the logger by `record`, when an event breaks the schema: a
 * required field is missing, a value has the wrong type or is out of range, the type is unknown, or
 * the line would be longer than 1 MiB. Nothing was written.
 */
export class InvalidEventError extends Error {
  readonly code = 'INVALID_EVENT'
  /** The first twenty problems. */
  readonly problems: readonly EventProblem[]

  constructor(problems: readonly EventProblem[]) {
    const named = problems.slice(0, MAX_PROBLEMS)
    const rest = problems.length > MAX_PROBLEMS ? `; and ${problems.length - MAX_PROBLEMS} more` : ''
    const texts = named.map(({ field, found, expected }) => `${field}: found ${found}, expected ${expected}`)
    super(`${INVALID_EVENT}${texts.join('; ')}${rest}`)
    this.name = 'InvalidEventError'
    this.problems = named
  }
}

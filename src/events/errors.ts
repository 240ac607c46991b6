/** One thing that is wrong with an event. */
export interface EventProblem {
  /** The field's name, `labels.team` for a label, `event` for the event as a whole. */
  field: string
  /** What stood there, shortened. */
  found: string
  /** What may stand there. */
  expected: string
}

/**
 * Thrown by `append`, and logged by `record`, when an event breaks the schema: a required field is missing, a value
 * has the wrong type or is out of range, the type is unknown, or the line would be longer than 1 MiB. Nothing was
 * written.
 */
export class InvalidEventError extends Error {
  readonly code = 'INVALID_EVENT'
  readonly problems: readonly EventProblem[]

  constructor(problems: readonly EventProblem[]) {
    super(`Invalid request log event: ${problems.map(describeProblem).join('; ')}`)
    this.name = 'InvalidEventError'
    this.problems = problems
  }
}

function describeProblem({ field, found, expected }: EventProblem): string {
  return `${field}: found ${found}, expected ${expected}`
}

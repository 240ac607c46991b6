/** What a projector's thread is given when it starts: options of `startProjector`. */
export interface ProjectorThreadData {
  journal: string
  database: string
  rollupLabels?: readonly string[]
}

/** What it says. Any message to it asks it to stop. */
export type MessageFromProjector =
  | { is: 'started' }
  | { is: 'log'; level: 'debug' | 'info' | 'warn' | 'error'; fields: object; message: string }
  /** Null: it goes on. */
  | { is: 'waiting'; reason: PlainError | null }
  | { is: 'failed'; error: PlainError }

/** An error between threads, where a clone would lose its name and code. */
export interface PlainError {
  name: string
  message: string
  stack: string | undefined
  code: unknown
}

export function plainError(error: unknown): PlainError {
  if (!(error instanceof Error))
    return { name: 'Error', message: String(error), stack: undefined, code: undefined }
  const { name, message, stack, code } = error as Error & { code?: unknown }
  return { name, message, stack, code: typeof code === 'string' ? code : undefined }
}

/** The error as it was thrown, as far as names and texts go. */
export function fromPlainError({ name, message, stack, code }: PlainError): Error {
  const error = Object.assign(new Error(message), { name }, code === undefined ? {} : { code })
  if (stack !== undefined) error.stack = stack
  return error
}

/** Fields of a log line; the error among them made plain. */
export function plainFields(fields: object): object {
  const entries = Object.entries(fields)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value instanceof Error ? { ...plainError(value) } : value]),
  )
}

import type { ProjectorOptions } from '../../projection/index.js'

/** The options of `startProjector` that a projector's thread gets when it starts. */
export type ProjectorThreadData = Pick<ProjectorOptions, 'journal' | 'database' | 'schema' | 'rollupLabels'>

/** A message from a projector's thread. Any message to it asks it to stop. */
export type MessageFromProjector =
  | { is: 'started' }
  | { is: 'log'; level: 'debug' | 'info' | 'warn' | 'error'; fields: object; message: string }
  /** The projector waits for `reason`; null once it continues. */
  | { is: 'waiting'; reason: SentError | null }
  | { is: 'failed'; error: SentError }

/** An error as a message carries it: a clone of the error itself would lose its name and code. */
export interface SentError {
  name: string
  message: string
  stack: string | undefined
  code: unknown
}

export function sentError(error: unknown): SentError {
  if (!(error instanceof Error))
    return { name: 'Error', message: String(error), stack: undefined, code: undefined }
  const { name, message, stack, code } = error as Error & { code?: unknown }
  return { name, message, stack, code: typeof code === 'string' ? code : undefined }
}

/** Restores an error with its name, code and texts, but not its class. */
export function receivedError({ name, message, stack, code }: SentError): Error {
  const error = Object.assign(new Error(message), { name }, code === undefined ? {} : { code })
  if (stack !== undefined) error.stack = stack
  return error
}

/** Prepares the fields of a log line for a message. */
export function sentFields(fields: object): object {
  const entries = Object.entries(fields)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value instanceof Error ? sentError(value) : value]),
  )
}

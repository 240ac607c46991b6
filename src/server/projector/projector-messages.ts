import type { ProjectorOptions } from '../../projection/index.js'

/** The options of `startProjector` that a projector's thread is given when it starts. */
export type ProjectorThreadData = Pick<ProjectorOptions, 'journal' | 'database' | 'schema' | 'rollupLabels'>

/** A message from a projector's thread. Any message to it asks it to stop. */
export type MessageFromProjector =
  | { is: 'started' }
  | { is: 'log'; level: 'debug' | 'info' | 'warn' | 'error'; fields: object; message: string }
  /** `reason` is null once it goes on. */
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

/** The error as it was thrown, as far as names and texts go. */
export function receivedError({ name, message, stack, code }: SentError): Error {
  const error = Object.assign(new Error(message), { name }, code === undefined ? {} : { code })
  if (stack !== undefined) error.stack = stack
  return error
}

/** The fields of a log line as a message carries them. */
export function sentFields(fields: object): object {
  const entries = Object.entries(fields)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value instanceof Error ? sentError(value) : value]),
  )
}

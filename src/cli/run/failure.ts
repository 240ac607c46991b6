import { visible } from '../output/terminal.js'

/** By name: the classes themselves would load better-sqlite3. */
const SAID_BY_MESSAGE = new Set([
  'CommandFailure',
  'DatabaseError',
  'InvalidEventError',
  'JournalError',
  'JournalWriteError',
  'PackageFileError',
  'ProjectionError',
  'QueryError',
  'ServerError',
])

/** A command could not do what it was asked for; the message says why. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
}

/** 2 for what was asked in a wrong way, which only the library can tell; 1 for everything that failed. */
export function exitCodeOf(error: unknown): number {
  const { name, code } = error as { name?: unknown; code?: unknown }
  return name === 'QueryError' && String(code).startsWith('INVALID_') ? 2 : 1
}

/** What stderr says of an error that ends a command: one paragraph, or the stack where it is a bug of ours. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return `error: ${visible(String(error))}`
  const { syscall, errno } = error as NodeJS.ErrnoException
  const isOfSystem = syscall !== undefined || typeof errno === 'number'
  if (SAID_BY_MESSAGE.has(error.name) || isOfSystem) return `error: ${visible(error.message)}`
  const lines = (error.stack ?? error.message).split('\n').map(visible)
  return ['error: this is a bug in request-journal', ...lines].join('\n')
}

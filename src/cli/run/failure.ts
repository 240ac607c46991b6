import { visible } from '../output/terminal.js'

/**
 * Errors whose message says everything. They are recognized by name, since importing the classes
 * would load better-sqlite3.
 */
const SELF_EXPLAINING = new Set([
  'CommandFailure',
  'DatabaseError',
  'InputError',
  'RestoreError',
  'ObjectStoreError',
  'ExportError',
  'InvalidEventError',
  'JournalError',
  'JournalWriteError',
  'PackageFileError',
  'PostgresError',
  'ProjectionError',
  'ProxyError',
  'QueryError',
  'ServerError',
])

/** Thrown when a command can't do what it was asked for; the message says why. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
}

/**
 * The exit code for an error: 2 if a query was asked for with wrong options, which only the query
 * itself finds out; otherwise 1.
 */
export function exitCodeOf(error: unknown): number {
  const { name, code } = error as { name?: unknown; code?: unknown }
  return name === 'QueryError' && String(code).startsWith('INVALID_') ? 2 : 1
}

/** Describes an error that ends a command, with the stack if it is a bug of this program. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return `error: ${visible(String(error))}`
  const { syscall, errno } = error as NodeJS.ErrnoException
  const isOfSystem = syscall !== undefined || typeof errno === 'number'
  if (SELF_EXPLAINING.has(error.name) || isOfSystem) return `error: ${visible(error.message)}`
  const lines = (error.stack ?? error.message).split('\n').map(visible)
  return ['error: this is a bug in request-journal', ...lines].join('\n')
}

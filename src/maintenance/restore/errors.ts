export const RESTORE_ERROR_CODES = ['JOURNAL_UNKNOWN', 'JOURNAL_EXISTS', 'CHUNKS_MISSING'] as const

export type RestoreErrorCode = (typeof RESTORE_ERROR_CODES)[number]

/**
 * Thrown when a journal can't be given back. Nothing was written.
 *
 * - `JOURNAL_UNKNOWN`: the database or the object store has no journal with this id.
 * - `JOURNAL_EXISTS`: there is something in the directory already.
 * - `CHUNKS_MISSING`: neither the database nor the object store has all bytes of a segment that one
 *   of them knows.
 */
export class RestoreError extends Error {
  override readonly name = 'RestoreError'
  readonly code: RestoreErrorCode

  constructor(code: RestoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

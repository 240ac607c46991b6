export const EXPORT_ERROR_CODES = ['PARTITION_EXISTS'] as const

export type ExportErrorCode = (typeof EXPORT_ERROR_CODES)[number]

/**
 * Thrown when requests can't be exported.
 *
 * - `PARTITION_EXISTS`: there are files of a day already. They stay as they are; the days before it
 *   were written, but this day wasn't.
 */
export class ExportError extends Error {
  override readonly name = 'ExportError'
  readonly code: ExportErrorCode

  constructor(code: ExportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

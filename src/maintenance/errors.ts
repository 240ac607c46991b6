export const INPUT_ERROR_CODES = [
  'FILE_UNREADABLE',
  'INVALID_CSV',
  'INVALID_VALUE',
  'PACKAGE_MISSING',
  'IMPORTED_OTHERWISE',
  'ROWS_REJECTED',
] as const

export type InputErrorCode = (typeof INPUT_ERROR_CODES)[number]

/**
 * The error for an optional package whose import failed: InputError PACKAGE_MISSING if it isn't
 * installed, or else the error as it is. The import stands in a `try` where it is needed: there,
 * bundlers let a package be missing.
 *
 * @param what what the package is, for the message.
 */
export function failedImport(error: unknown, name: string, what: string): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') return error
  const advice = `it isn't installed: \`npm install ${name}\` installs ${what}, which is optional`
  return new InputError('PACKAGE_MISSING', name, advice, { cause: error })
}

/**
 * Thrown when something that a command reads in addition to journal and database, such as a list of
 * prices or a bill, can't be used. All of it is checked before anything is written.
 *
 * - `FILE_UNREADABLE`: the file can't be opened or read, or isn't UTF-8.
 * - `INVALID_CSV`: the file isn't CSV with a header and commas; a column is missing, unknown or
 *   there twice; or a line has another number of fields than the header.
 * - `INVALID_VALUE`: a value isn't what its column or member takes: a price, a date, a currency; or
 *   a file of JSON isn't JSON.
 * - `PACKAGE_MISSING`: an optional package isn't installed.
 * - `IMPORTED_OTHERWISE`: the file was imported with other options, so that its requests would be
 *   in the journal twice.
 * - `ROWS_REJECTED`: more than ten of a file's rows, and more than a tenth, can't be imported.
 */
export class InputError extends Error {
  override readonly name = 'InputError'
  readonly code: InputErrorCode
  /** The file, or the package's name. */
  readonly path: string
  /** The line of the file, from 1; null: the error is about the whole of it. */
  readonly line: number | null

  constructor(
    code: InputErrorCode,
    path: string,
    message: string,
    { line = null, ...options }: ErrorOptions & { line?: number | null } = {},
  ) {
    super(`${path}${line === null ? '' : `, line ${line}`}: ${message}`, options)
    this.code = code
    this.path = path
    this.line = line
  }
}

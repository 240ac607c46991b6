/** The methods of a pino logger that this package calls. The fields come first. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Takes a journal's warnings and errors: a pino logger, or anything with these two methods. */
export type JournalLogger = Pick<Logger, 'warn' | 'error'>

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

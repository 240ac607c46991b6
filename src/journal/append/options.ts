import { resolve } from 'node:path'
import { type Redact, redactAlso, redactSecrets } from '../../events/redact.js'

/** The part of a pino logger that is called: `warn` and `error`, with fields first. */
export interface JournalLogger {
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface JournalOptions {
  /**
   * The journal's directory, created when it is missing.
   * @default 'journal'
   */
  directory?: string | undefined
  /**
   * Where warnings go: pino, or anything with its `warn` and `error`.
   * @default the console
   */
  logger?: JournalLogger | undefined
  /**
   * `everysec` syncs a segment that was written to each second, so that a power cut costs at most that; `no` leaves it
   * to the kernel (about 30 s). `flush` syncs in either case.
   * @default 'everysec'
   */
  fsync?: 'everysec' | 'no' | undefined
  /**
   * Bytes of lines that `record` keeps in memory while the disk refuses.
   * @default 16 MiB
   */
  bufferBytes?: number | undefined
  /**
   * Permissions of new files, whatever the umask; directories get execute where files have read. 0o660 shares a
   * journal within a group.
   * @default 0o600, and what the group may do with a journal.json that is there and not open to others
   */
  mode?: number | undefined
  /**
   * Takes secrets out before the line is written. Patterns, each with the flag g, mask what they match in `error_message`,
   * after the default; one that backtracks without bounds is the caller's own cost. A function replaces the default, and
   * is called for `error_message` and label values. `false` writes them as they are.
   * @default masks the secrets that SECURITY.md lists in `error_message`
   */
  redact?: Redact | readonly RegExp[] | false | undefined
}

export interface ResolvedOptions {
  directory: string
  logger: JournalLogger
  fsync: 'everysec' | 'no'
  bufferBytes: number
  fileMode: number
  directoryMode: number
  /** Not the default: a journal that is there is no reason for another one. */
  isModeGiven: boolean
  redact: Redact | null
}

const NAMES = ['directory', 'logger', 'fsync', 'bufferBytes', 'mode', 'redact']

/** Fills the defaults. @throws TypeError for an unknown option or a value out of range, naming it. */
export function resolveOptions(options: JournalOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`openJournal takes an object of options; found ${String(options)}`)
  }
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name))
      throw new TypeError(`Unknown option '${name}' of openJournal; it has ${NAMES.join(', ')}`)
  }
  const { directory = 'journal', logger = consoleLogger, fsync = 'everysec' } = options
  const { bufferBytes = 16 * 1024 * 1024, mode = 0o600, redact = redactSecrets } = options
  expect(typeof directory === 'string' && directory !== '', 'directory', directory, 'a path')
  const canLog = typeof logger?.warn === 'function' && typeof logger.error === 'function'
  expect(canLog, 'logger', logger, 'an object with warn and error, such as a pino logger')
  expect(fsync === 'everysec' || fsync === 'no', 'fsync', fsync, "'everysec' or 'no'")
  expect(
    Number.isSafeInteger(bufferBytes) && bufferBytes >= 0,
    'bufferBytes',
    bufferBytes,
    'a whole number of bytes',
  )
  const isMode = Number.isInteger(mode) && mode >= 0 && mode <= 0o777 && (mode & 0o600) === 0o600
  expect(isMode, 'mode', mode, 'permissions from 0o600 to 0o777 that let the owner read and write')
  const expected =
    'a function, false, or an array of regular expressions with the flag g that match no empty text'
  const isRedaction = Array.isArray(redact) ? redact.every(isPattern) : typeof redact === 'function'
  expect(redact === false || isRedaction, 'redact', redact, expected)
  const fileMode = mode & 0o666
  return {
    // Looked up again all the time, so a process that changes its directory must not lead it elsewhere.
    directory: resolve(directory),
    logger,
    fsync,
    bufferBytes,
    fileMode,
    directoryMode: fileMode | ((fileMode & 0o444) >> 2),
    isModeGiven: options.mode !== undefined,
    redact: redactionOf(redact),
  }
}

/** Without g only the first match would be masked, with y only one at the beginning; an empty match masks nothing. */
function isPattern(pattern: unknown): boolean {
  return pattern instanceof RegExp && pattern.global && !pattern.sticky && ''.search(pattern) === -1
}

function redactionOf(redact: Redact | readonly RegExp[] | false): Redact | null {
  if (redact === false) return null
  // Copies: a caller's own use of a pattern moves its lastIndex.
  return typeof redact === 'function' ? redact : redactAlso(redact.map((pattern) => new RegExp(pattern)))
}

const consoleLogger: JournalLogger = {
  warn: (fields, message) => console.warn(message, fields),
  error: (fields, message) => console.error(message, fields),
}

function expect(holds: boolean, option: string, found: unknown, expected: string): void {
  if (!holds)
    throw new TypeError(`Option '${option}' of openJournal: found ${String(found)}, expected ${expected}`)
}

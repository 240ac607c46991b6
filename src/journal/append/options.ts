import { resolve } from 'node:path'
import { type Redact, redactSecrets, redactWith } from '../../events/redact.js'
import type { JournalLogger } from '../logger.js'

export interface JournalOptions {
  /**
   * The path of the journal's directory, which is created if it doesn't exist. A relative one is
   * resolved once, against the working directory at the time of the call.
   * @default 'journal'
   */
  directory?: string | undefined
  /**
   * Takes warnings and errors: a pino logger, or anything with its `warn` and `error`.
   * @default the console
   */
  logger?: JournalLogger | undefined
  /**
   * When events become durable without a `flush`. `everysec`: a sync each second, so that a power
   * cut loses the events of about a second. `no`: the kernel writes them out, after about 30 s.
   * `flush` syncs in either case.
   * @default 'everysec'
   */
  fsync?: 'everysec' | 'no' | undefined
  /**
   * How many bytes of lines `record` keeps in memory while the disk refuses writes. Events beyond
   * that are lost and counted as `dropped`.
   * @default 16 MiB
   */
  bufferBytes?: number | undefined
  /**
   * The permissions of new files, whatever the umask: from 0o600 to 0o777, of which only read and
   * write count. New directories get execute where files have read. 0o660 shares a journal within a
   * group.
   * @default 0o600; in an existing journal whose journal.json is closed to others, also what the
   *   group may do with that file
   */
  mode?: number | undefined
  /**
   * How secrets are taken out before a line is written. Patterns, each with the flag g, mask what
   * they match in `error_message` and in the `source` of a price or rate, in addition to the
   * default; a pattern that backtracks without bounds blocks the caller. A function replaces the
   * default, and is called for `error_message`, `source` and each label's value. `false` writes all
   * texts as they are.
   * @default masks in `error_message` and `source` the secrets that SECURITY.md lists
   */
  redact?: Redact | readonly RegExp[] | false | undefined
}

export type ResolvedOptions = ReturnType<typeof resolveOptions>

const NAMES = ['directory', 'logger', 'fsync', 'bufferBytes', 'mode', 'redact']

/**
 * Fills the defaults.
 *
 * @throws TypeError for an unknown option or a value out of range, naming it.
 */
export function resolveOptions(options: JournalOptions) {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`openJournal takes an options object; found ${String(options)}`)
  }
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name))
      throw new TypeError(`openJournal has no option '${name}'; its options are ${NAMES.join(', ')}`)
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
    "a function, false, or an array of regular expressions with the flag g that don't match the empty string"
  const isRedaction = Array.isArray(redact) ? redact.every(isPattern) : typeof redact === 'function'
  expect(redact === false || isRedaction, 'redact', redact, expected)
  const fileMode = mode & 0o666
  return {
    // Absolute, because the process may change its working directory later.
    directory: resolve(directory),
    logger,
    fsync,
    bufferBytes,
    fileMode,
    directoryMode: directoryModeOf(fileMode),
    /** Whether the caller chose the mode, so that an existing journal's doesn't replace it. */
    isModeGiven: options.mode !== undefined,
    redact: redactionOf(redact),
  }
}

/**
 * Whether a pattern masks every match: without g only the first is masked, with y only one at the
 * beginning, and an empty match masks nothing.
 */
function isPattern(pattern: unknown): boolean {
  return pattern instanceof RegExp && pattern.global && !pattern.sticky && ''.search(pattern) === -1
}

function redactionOf(redact: Redact | readonly RegExp[] | false): Redact | null {
  if (redact === false) return null
  // Copied, because the caller's own use of a pattern moves its lastIndex.
  return typeof redact === 'function' ? redact : redactWith(redact.map((pattern) => new RegExp(pattern)))
}

const consoleLogger: JournalLogger = {
  warn: (fields, message) => console.warn(message, fields),
  error: (fields, message) => console.error(message, fields),
}

function expect(holds: boolean, option: string, found: unknown, expected: string): void {
  if (!holds)
    throw new TypeError(`Option '${option}' of openJournal: found ${String(found)}, expected ${expected}`)
}

/** The permissions of a journal's directory: whoever may read its files may look into it. */
export function directoryModeOf(fileMode: number): number {
  return fileMode | ((fileMode & 0o444) >> 2)
}

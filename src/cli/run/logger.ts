import { isatty } from 'node:tty'
import type { Logger, pino } from 'pino'
import { standardError } from '../output/standard-error.js'
import { visible } from '../output/terminal.js'

/**
 * Makes a logger that writes to stderr: JSON lines, or lines for people if stderr is a terminal. A
 * line is written at once or kept for later, so neither a full disk nor a reader that doesn't read
 * stops the work.
 */
export async function createLogger(level: string): Promise<Logger> {
  const { pino } = await import('pino')
  if (!isatty(2)) {
    reportLossWith(pino)
    return pino({ level }, standardError)
  }
  const { prettyFactory } = await import('pino-pretty')
  const prettify = prettyFactory({
    colorize: true,
    singleLine: true,
    translateTime: 'UTC:yyyy-mm-dd HH:MM:ss.l "UTC"',
    ignore: 'pid,hostname',
  })
  reportLossWith(pino, prettify)
  const lines = { write: (line: string) => standardError.write(prettify(line)) }
  return pino({ level, formatters: { log: visibleFields } }, lines)
}

/** Makes stderr report missing lines in the format of the log, for programs that parse that. */
function reportLossWith(makeLogger: typeof pino, prettify = (line: string) => line): void {
  standardError.describeLoss = (dropped) => {
    let line = ''
    const destination = { write: (text: string) => (line = text) }
    makeLogger({}, destination).warn({ dropped }, "Lines of this log are missing: stderr didn't take them")
    return prettify(line)
  }
}

/**
 * Makes texts safe for a terminal: rejected lines quote what strangers wrote, and pino-pretty
 * escapes only ASCII's control characters.
 */
function visibleFields(fields: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(fields)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? visible(value) : value]),
  )
}

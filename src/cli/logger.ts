import { Option } from 'commander'
import type { Logger } from 'pino'
import { visible } from './terminal.js'

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

export function logLevelOption(): Option {
  return new Option('--log-level <level>', 'least level that is logged to stderr')
    .env('REQUEST_JOURNAL_LOG_LEVEL')
    .default('info')
    .choices(LEVELS)
}

/** A log on stderr: JSON lines, or lines for people where stderr is a terminal. Synchronous, so that none is lost. */
export async function createLogger(level: string): Promise<Logger> {
  const { pino } = await import('pino')
  if (!process.stderr.isTTY) return pino({ level }, pino.destination({ dest: 2, sync: true }))
  const { default: pretty } = await import('pino-pretty')
  return pino(
    { level, formatters: { log: visibleFields } },
    pretty({
      destination: 2,
      sync: true,
      colorize: true,
      singleLine: true,
      translateTime: 'UTC:yyyy-mm-dd HH:MM:ss.l "UTC"',
      ignore: 'pid,hostname',
    }),
  )
}

/** What a rejected line quotes comes from strangers, and pino-pretty escapes only the first 32 characters. */
function visibleFields(fields: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(fields)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? visible(value) : value]),
  )
}

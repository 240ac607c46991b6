import { realpathSync, statSync } from 'node:fs'
import { InvalidArgumentError } from 'commander'
import type { Logger } from 'pino'
import { CommandFailure } from './failure.js'
import { textThat } from './options.js'

const OTHERS_MAY_READ = 0o044
const MAX_TOKEN_FILE_BYTES = 4096

/**
 * Reads the token of a command that listens. It is never an argument, because every user of the
 * machine can see those.
 */
export async function readToken(
  file: string | undefined,
  logger: Logger,
  variable = 'REQUEST_JOURNAL_TOKEN',
): Promise<string | undefined> {
  if (file === undefined) return process.env[variable]
  const { readSmallFile, reasonOf } = await import('../../journal/file-system.js')
  let text: string
  try {
    if ((statSync(file).mode & OTHERS_MAY_READ) !== 0) {
      logger.warn({ path: file }, 'Other users may read the token file: chmod 600 keeps it yours')
    }
    // Secrets are often mounted as links. A FIFO would block until somebody wrote to it.
    text = readSmallFile(realpathSync(file), MAX_TOKEN_FILE_BYTES)
  } catch (error) {
    throw new CommandFailure(`the token file can't be read: ${reasonOf(error)}`)
  }
  // Editors and `echo` end the file with a line break.
  return text.replace(/\r?\n$/, '')
}

/** Parses a name or an address to listen on. */
export const parseHost = textThat((text) => /^(?!-)[^\s,/]+$/.test(text), 'Expected a name or an address.')

/** Parses names of hosts, with commas between them; the option may also be repeated. */
export function parseHostNames(text: string, before: readonly string[] = []): string[] {
  const names = text.split(',').map((name) => name.trim())
  for (const name of names) {
    if (!/^[^\s:/]+$/.test(name)) throw new InvalidArgumentError('Expected names of hosts, without a port.')
  }
  return [...before, ...names]
}

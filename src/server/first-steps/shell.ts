import { isAbsolute, relative } from 'node:path'

/** What a POSIX shell takes as it is. */
const PLAIN = /^[\w@%+=:,./-]+$/

/**
 * A path as people would type it in a folder: relative if it lies below the folder, or else
 * absolute. It never looks like an option. Below `/`, the folder of a service, it is absolute too:
 * nobody types commands there.
 */
export function pathFrom(folder: string, path: string): string {
  if (folder === '/') return path
  const below = relative(folder, path)
  if (below === '') return '.'
  if (below === '..' || below.startsWith('../') || isAbsolute(below)) return path
  return below.startsWith('-') ? `./${below}` : below
}

/**
 * A command for a POSIX shell.
 *
 * @param program what it begins with, which is already written for a shell.
 */
export function commandOf(program: string, args: readonly string[]): string {
  return [program, ...args.map(quoted)].join(' ')
}

/** A word for a POSIX shell, in quotes if it needs them. */
export function quoted(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

import { isAbsolute, relative } from 'node:path'

/** Words that a POSIX shell takes as they are. */
const PLAIN = /^[\w@%+=:,./-]+$/

/**
 * Returns a path as people would type it in a folder: relative if it lies below the folder, or else
 * absolute. It never looks like an option. If the folder is `/`, as for a service, the path is
 * absolute, because people type commands elsewhere.
 */
export function pathFrom(folder: string, path: string): string {
  if (folder === '/') return path
  const below = relative(folder, path)
  if (below === '') return '.'
  if (below === '..' || below.startsWith('../') || isAbsolute(below)) return path
  return below.startsWith('-') ? `./${below}` : below
}

/** Quotes a word for a POSIX shell if it needs quotes. */
export function quoted(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

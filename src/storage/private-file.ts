import { randomUUID } from 'node:crypto'
import { closeSync, linkSync, openSync, unlinkSync } from 'node:fs'

/**
 * Makes an empty file that only its owner may read, where there is none: an empty database. Left to SQLite, its mode
 * would be the umask's; -wal and -shm take that of their database. Under another name first, because closing a descriptor of
 * the database itself would drop the locks that a connection of this process has on it.
 */
export function createPrivateFile(path: string): void {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    closeSync(openSync(temporary, 'wx', 0o600))
  } catch {
    // SQLite meets the same obstacle at once, and says what it is.
    return
  }
  try {
    linkSync(temporary, path)
  } catch {
    // It is there by now, or is a symlink to where it will be; or this file system has no links, and SQLite makes it.
  } finally {
    unlinkSync(temporary)
  }
}

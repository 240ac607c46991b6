import { randomUUID } from 'node:crypto'
import { closeSync, linkSync, readlinkSync, unlinkSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { nodeFileSystem } from '../../../journal/file-system.js'
import { createFile } from '../../../journal/new-file.js'

/** The most symbolic links that Linux follows in a path. */
const MAX_LINKS = 40

/**
 * Makes an empty file, which is an empty database, unless the file exists. If SQLite made it, its
 * mode would follow the umask; the -wal and -shm files take the mode of their database. The file is
 * made under another name first, because closing a descriptor of the database itself would drop the
 * locks that a connection of this process has on it.
 *
 * @param like the file whose owner it gets if this process runs as root; without it, that of
 *   journal.json in the same folder, or of the folder.
 * @param mode its permissions. @default only its owner may read and write it
 */
export function createPrivateFile(path: string, like?: string, mode = 0o600): void {
  const target = followLinks(path)
  const temporary = `${target}.${randomUUID()}.tmp`
  try {
    closeSync(createFile(nodeFileSystem, temporary, { mode, like }))
  } catch {
    // SQLite will meet the same obstacle next, and report it.
    return
  }
  try {
    linkSync(temporary, target)
  } catch {
    // Either another process has made the file, or the file system has no hard links and SQLite
    // will make it.
  } finally {
    unlinkSync(temporary)
  }
}

/** Returns where a chain of symbolic links leads, whether the target exists or not. */
function followLinks(path: string): string {
  let target = path
  for (let followed = 0; followed < MAX_LINKS; followed++) {
    try {
      target = resolve(dirname(target), readlinkSync(target))
    } catch {
      return target
    }
  }
  return target
}

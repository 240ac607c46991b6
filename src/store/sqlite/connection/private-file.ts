import { randomUUID } from 'node:crypto'
import { closeSync, linkSync, readlinkSync, unlinkSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { nodeFileSystem } from '../../../journal/file-system.js'
import { createDirectory, createFile } from '../../../journal/new-file.js'

/** The most symbolic links that Linux follows in a path. */
const MAX_LINKS = 40

/**
 * Makes an empty file, which is an empty database, that only its owner may read, unless it exists.
 * Left to SQLite, its mode would be the umask's; -wal and -shm take that of their database. It gets
 * another name first, because closing a descriptor of the database itself would drop the locks that
 * a connection of this process has on it.
 *
 * @param like the file whose owner it gets from root. @default the folder
 */
export function createPrivateFile(path: string, like?: string): void {
  const target = followLinks(path)
  const temporary = `${target}.${randomUUID()}.tmp`
  try {
    closeSync(createFile(nodeFileSystem, temporary, { mode: 0o600, like }))
  } catch {
    // SQLite meets the same obstacle next, and says what it is.
    return
  }
  try {
    linkSync(temporary, target)
  } catch {
    // Another process has made it; or this file system has no links, and SQLite makes it.
  } finally {
    unlinkSync(temporary)
  }
}

/** Makes a folder that only its owner may enter. */
export function createPrivateDirectory(path: string): void {
  createDirectory(nodeFileSystem, path, 0o700)
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

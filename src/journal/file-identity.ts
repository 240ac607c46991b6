import { type BigIntStats, type Stats, statSync } from 'node:fs'
import type { FileSystem } from './file-system.js'

/**
 * Identifies the file that a path or a descriptor leads to. An inode number alone isn't enough:
 * fresh file systems hand out the same ones, so that another volume mounted over a directory would
 * go unnoticed. The numbers are text because both may be larger than 2^53.
 */
export interface FileIdentity {
  /** The file system's number. It may differ after a reboot or a new mount. */
  device: string
  inode: string
}

export function fileIdentity({ dev, ino }: Pick<Stats | BigIntStats, 'dev' | 'ino'>): FileIdentity {
  return { device: String(dev), inode: String(ino) }
}

/** The identity of the file that a path leads to; null if there is no such file. */
export function fileIdentityAt(
  path: string,
  fs: Pick<FileSystem, 'statSync'> = { statSync },
): FileIdentity | null {
  const stats = fs.statSync(path, { bigint: true, throwIfNoEntry: false })
  return stats === undefined ? null : fileIdentity(stats)
}

/** Whether both are the same file. Null, a missing file, is never the same as another. */
export function isSameFile(a: FileIdentity | null, b: FileIdentity | null): boolean {
  return a !== null && b !== null && a.inode === b.inode && a.device === b.device
}

import { constants } from 'node:fs'
import { dirname, join } from 'node:path'
import type { FileSystem } from './files.js'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants
const SETGID = 0o2000

/** The calls that making a file or a directory takes. */
type Maker = Pick<
  FileSystem,
  | 'openSync'
  | 'closeSync'
  | 'fchmodSync'
  | 'fchownSync'
  | 'mkdirSync'
  | 'chmodSync'
  | 'chownSync'
  | 'statSync'
>

interface NewFileOptions {
  mode: number
  /**
   * Those of open(2), to which creating the file is added.
   * @default O_WRONLY
   */
  flags?: number | undefined
  /**
   * The file whose owner and group it gets from root; where that doesn't exist, the folder's.
   * @default journal.json in the same folder
   */
  like?: string | undefined
}

/**
 * Makes a file that doesn't exist yet, with exactly `mode` whatever the umask. A file that root makes gets another owner
 * and group, as gzip and SQLite do it: otherwise one command that was run as root would leave
 * files that the gateway and the projector can't open.
 *
 * @returns its descriptor.
 * @throws the file system's error, EEXIST where the file exists.
 */
export function createFile(fs: Maker, path: string, options: NewFileOptions): number {
  const { mode, flags = O_WRONLY, like } = options
  const fd = fs.openSync(path, flags | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
  try {
    giveToOwner(fs, dirname(path), like, (uid, gid) => fs.fchownSync(fd, uid, gid))
    fs.fchmodSync(fd, mode)
    return fd
  } catch (error) {
    fs.closeSync(fd)
    throw error
  }
}

/**
 * Makes a directory, with exactly `mode` whatever the umask, but for the setgid bit: a directory inherits it from the
 * one it is made in, so that its files get the group that shares it.
 *
 * @throws the file system's error, EEXIST where it exists.
 */
export function createDirectory(fs: Maker, path: string, mode: number): void {
  fs.mkdirSync(path, { mode })
  giveToOwner(fs, dirname(path), undefined, (uid, gid) => fs.chownSync(path, uid, gid))
  fs.chmodSync(path, mode | (fs.statSync(path).mode & SETGID))
}

function giveToOwner(
  fs: Maker,
  directory: string,
  like = join(directory, 'journal.json'),
  chown: (uid: number, gid: number) => void,
): void {
  if (process.geteuid?.() !== 0) return
  const { uid, gid } = statIfThere(fs, like) ?? fs.statSync(directory)
  if (uid === 0) return
  try {
    chown(uid, gid)
  } catch {
    // A container's root may lack the right to. Root can use the file; `doctor` names its owner.
  }
}

function statIfThere(fs: Maker, path: string): { uid: number; gid: number } | null {
  try {
    return fs.statSync(path)
  } catch {
    return null
  }
}

import { constants } from 'node:fs'
import { dirname, join } from 'node:path'
import { errorCode, type FileSystem, openRegularFile } from './file-system.js'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants
const SETGID = 0o2000

interface NewFileOptions {
  mode: number
  /** The flags of open(2), to which those that create a file are added. @default O_WRONLY */
  flags?: number | undefined
  /**
   * The file whose owner and group the new one gets if root creates it. If that file doesn't exist,
   * the new one gets those of the directory.
   * @default journal.json in the same directory
   */
  like?: string | undefined
}

/**
 * Creates a file that doesn't exist yet, with exactly `mode` whatever the umask. A file that root
 * creates gets the owner and group of `like`, as with gzip and SQLite. Otherwise one command run as
 * root would leave files that the gateway and the projector can't open.
 *
 * @returns its descriptor.
 * @throws the file system's error; EEXIST if the file exists.
 */
export function createFile(fs: FileSystem, path: string, options: NewFileOptions): number {
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
 * Opens a file, or creates it as {@link createFile} does.
 *
 * @returns its descriptor.
 * @throws the file system's error; see also {@link openRegularFile}.
 */
export function openOrCreateFile(
  fs: FileSystem,
  path: string,
  options: NewFileOptions & { flags: number },
): number {
  try {
    return createFile(fs, path, options)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    return openRegularFile(fs, path, options.flags)
  }
}

/**
 * Creates a directory, with exactly `mode` whatever the umask. It keeps the setgid bit that it
 * inherits from its parent, so that its files get the group that shares the directory.
 *
 * @throws the file system's error; EEXIST if it exists.
 */
export function createDirectory(fs: FileSystem, path: string, mode: number): void {
  fs.mkdirSync(path, { mode })
  giveToOwner(fs, dirname(path), undefined, (uid, gid) => fs.chownSync(path, uid, gid))
  fs.chmodSync(path, mode | (fs.statSync(path).mode & SETGID))
}

function giveToOwner(
  fs: FileSystem,
  directory: string,
  like = join(directory, 'journal.json'),
  chown: (uid: number, gid: number) => void,
): void {
  if (process.geteuid?.() !== 0) return
  const { uid, gid } = fs.statSync(like, { throwIfNoEntry: false }) ?? fs.statSync(directory)
  if (uid === 0) return
  try {
    chown(uid, gid)
  } catch {
    // Root in a container may not be allowed to do this. It can use the file all the same, and
    // doctor names the file's owner.
  }
}

// A private copy of a database that is on a read-only mount, so that it can be read.
import {
  accessSync,
  type BigIntStats,
  closeSync,
  constants,
  copyFileSync,
  mkdtempSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseError } from './errors.js'

/** What distinguishes one state of a file from another. */
type FileState = Pick<BigIntStats, 'size' | 'mtimeNs' | 'ino'>

interface Copy {
  path: string
  state: FileState
}

/** The copies that this thread has made, by their originals. */
const copies = new Map<string, Copy>()

/** Whether the file is on a mount where nobody can write, not even root. */
export function isOnReadOnlyMount(file: string): boolean {
  try {
    accessSync(file, constants.W_OK)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS'
  }
}

/**
 * Returns the path of a private copy of a database on a read-only mount, where SQLite can't make
 * the -shm file that a WAL needs. SQLite's own solution, a URI with `immutable=1`, isn't compiled
 * into better-sqlite3. The copy is kept in the temporary folder until the original has changed or
 * the process ends.
 *
 * @throws DatabaseError DATABASE_UNWRITABLE if there is a -wal, whose changes can't be read, or no
 *   room for the copy; DATABASE_BUSY if the original changes meanwhile, as it may if the same disk
 *   is mounted elsewhere for writing.
 */
export function copyOf(file: string): string {
  const current = copies.get(file)
  if (current !== undefined && !isOutdatedCopy(file)) return current.path
  discard(current)
  const copy = makeCopy(file)
  if (copies.size === 0) {
    process.once('exit', () => {
      for (const made of copies.values()) discard(made)
    })
  }
  copies.set(file, copy)
  return copy.path
}

/** Whether this thread reads a copy of the file, and the file has changed since. */
export function isOutdatedCopy(file: string): boolean {
  const copy = copies.get(file)
  if (copy === undefined) return false
  const state = statSync(file, { bigint: true, throwIfNoEntry: false })
  return state === undefined || !isSame(copy.state, state) || walBytes(file) > 0
}

function makeCopy(file: string): Copy {
  const state = statSync(file, { bigint: true })
  if (walBytes(file) > 0) {
    const found = "it is on a read-only mount, and its -wal holds changes that can't be read there"
    const advice =
      'copy both to a folder that this user may write to, or open it once where it can be written'
    throw new DatabaseError('DATABASE_UNWRITABLE', file, `${found}: ${advice}`)
  }
  removeCopies((pid) => !isAlive(pid))
  checkRoom(file, state.size)
  const path = join(mkdtempSync(join(tmpdir(), `request-journal-copy-${process.pid}-`)), 'requests.db')
  const copy = { path, state }
  try {
    copyFileSync(file, path, constants.COPYFILE_FICLONE)
    if (!isSame(state, statSync(file, { bigint: true }))) {
      const found = 'it changed while it was being copied from its read-only mount'
      throw new DatabaseError('DATABASE_BUSY', file, `${found}: try again`)
    }
    const fd = openSync(path, 'r+')
    try {
      writeSync(fd, WITHOUT_WAL, 0, WITHOUT_WAL.length, FORMAT_BYTE)
    } finally {
      closeSync(fd)
    }
    return copy
  } catch (error) {
    discard(copy)
    throw error
  }
}

/** Removes the copies of a process that was killed, since it couldn't do so itself. */
export function discardCopiesOf(pid: number): void {
  removeCopies((maker) => maker === pid)
}

function removeCopies(isOver: (makerPid: number) => boolean): void {
  try {
    for (const name of readdirSync(tmpdir())) {
      const pid = /^request-journal-copy-(\d+)-/.exec(name)?.[1]
      if (pid === undefined || !isOver(Number(pid))) continue
      try {
        rmSync(join(tmpdir(), name), { recursive: true, force: true })
      } catch {
        // It belongs to another user.
      }
    }
  } catch {
    // Without a temporary folder, or descriptors to read it, nothing can be removed for now.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, as another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function discard(copy: Copy | undefined): void {
  if (copy !== undefined) rmSync(dirname(copy.path), { recursive: true, force: true })
}

/** The size of the -wal, which is beside the file that a symbolic link leads to. */
function walBytes(file: string): number {
  return statSync(`${realpathSync(file)}-wal`, { throwIfNoEntry: false })?.size ?? 0
}

function isSame(a: FileState, b: FileState): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ino === b.ino
}

function checkRoom(file: string, bytes: bigint): void {
  const { bavail, bsize } = statfsSync(tmpdir(), { bigint: true })
  if (bavail * bsize >= bytes) return
  const found = `it is on a read-only mount and is read from a copy of ${bytes} bytes, for which ${tmpdir()} has no room`
  throw new DatabaseError('DATABASE_UNWRITABLE', file, `${found}: set TMPDIR to a folder on a larger disk`)
}

/**
 * Bytes 18 and 19 of the header say how a database is read and written: 2 through a WAL, 1 without
 * one.
 */
const FORMAT_BYTE = 18
const WITHOUT_WAL = Buffer.from([1, 1])

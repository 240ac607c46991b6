import * as fs from 'node:fs'
import { constants } from 'node:os'

/**
 * The file system calls that the writing side makes: the seam where faults are put in. The contract is that of
 * `node:fs`, in particular: `writeSync` either throws, having written nothing, or returns how many bytes it wrote.
 */
export type FileSystem = Pick<
  typeof fs,
  | 'openSync'
  | 'closeSync'
  | 'readSync'
  | 'writeSync'
  | 'fstatSync'
  | 'statSync'
  | 'lstatSync'
  | 'fchmodSync'
  | 'chmodSync'
  | 'fchownSync'
  | 'chownSync'
  | 'fsyncSync'
  | 'fsync'
  | 'fdatasync'
  | 'mkdirSync'
  | 'readdirSync'
  | 'linkSync'
  | 'unlinkSync'
>

export const nodeFileSystem: FileSystem = fs

/** The wall clock, in milliseconds since 1970 UTC. */
export interface Clock {
  now(): number
}

export function errorCode(error: unknown): string | undefined {
  return nameOf((error as NodeJS.ErrnoException | null)?.code)
}

const UNNAMED = 'Unknown system error -'

/** Node.js has no name for some errors of Linux, ESTALE and EDQUOT among them: it gives their number as the code. */
function nameOf(code: string | undefined): string | undefined {
  if (typeof code !== 'string' || !code.startsWith(UNNAMED)) return code
  const number = Number(code.slice(UNNAMED.length))
  return Object.entries(constants.errno).find(([, value]) => value === number)?.[0] ?? code
}

/** True when the error says that a path leads nowhere. */
export function isMissing(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/**
 * What a system call fails with that can succeed later without a change to what was asked for: descriptors or memory are
 * short, a disk is full or fails, a mount or a permission is missing for now.
 */
const PASSING_CODES = new Set([
  ...['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EBUSY', 'EINTR'],
  ...['ENOSPC', 'EDQUOT', 'EIO', 'EREMOTEIO', 'EROFS', 'ESTALE', 'ENOTCONN', 'ETIMEDOUT'],
  ...['EACCES', 'EPERM'],
])

export function isPassingCode(code: string | undefined): boolean {
  const name = nameOf(code)
  return name !== undefined && PASSING_CODES.has(name)
}

/** A tick of file times: at most 10 ms where they have fractions of a second, else up to two seconds (FAT). */
const FINE_TICK_MS = 100
const COARSE_TICK_MS = 2000

/**
 * Whether a directory that has this time of change can't change again without another time: listed while it is young,
 * another change may hide in the same tick. Measured: a list takes 10 µs, and a writer would make
 * two for each `flush` in the first two seconds of a day.
 */
export function isSettled(mtimeMs: number, now: number): boolean {
  const tickMs = mtimeMs % 1000 === 0 ? COARSE_TICK_MS : FINE_TICK_MS
  return now - mtimeMs >= tickMs
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants

/**
 * Opens a file that is there and that others may have put there: a symbolic link would lead elsewhere, and a FIFO
 * would block the process until somebody opened its other end.
 *
 * @throws Error with code NOT_REGULAR for a link, a FIFO, a device, a socket or a directory; of the file system otherwise.
 */
export function openRegularFile(fs: FileSystem, path: string, flags: number): number {
  let fd: number
  try {
    fd = fs.openSync(path, flags | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ELOOP') throw notRegular(path, 'a symbolic link', error)
    if (code === 'EISDIR') throw notRegular(path, 'a directory', error)
    // A socket, or a device that has no driver.
    if (code === 'ENXIO' || code === 'ENODEV') throw notRegular(path, 'a socket or a device', error)
    throw error
  }
  try {
    if (fs.fstatSync(fd).isFile()) return fd
    throw notRegular(path, 'a FIFO, a device or a directory')
  } catch (error) {
    fs.closeSync(fd)
    throw error
  }
}

/**
 * The text of a small file that others may have put there.
 *
 * @throws Error with code NOT_REGULAR, or TOO_LARGE for more than `maxBytes`; of the file system otherwise.
 */
export function readSmallFile(path: string, maxBytes: number, fs: FileSystem = nodeFileSystem): string {
  const fd = openRegularFile(fs, path, O_RDONLY)
  try {
    // One byte more than allowed: the size that fstat gives can be outdated by the time of the read.
    const bytes = Buffer.alloc(maxBytes + 1)
    let length = 0
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = fs.readSync(fd, bytes, length, bytes.length - length, length)
    }
    if (length <= maxBytes) return bytes.toString('utf8', 0, length)
    const text = `${path} has more than ${maxBytes} bytes: this is not what belongs there`
    throw Object.assign(new Error(text), { code: 'TOO_LARGE' })
  } finally {
    fs.closeSync(fd)
  }
}

function notRegular(path: string, found: string, cause?: unknown): Error {
  const error = new Error(`${path} is ${found}, expected a regular file`, { cause })
  return Object.assign(error, { code: 'NOT_REGULAR' })
}

/**
 * Thrown where a directory can't be opened, so that the names in it can't be synced yet: for want of descriptors, for
 * example. Nothing is known to be lost, and another attempt can succeed. `code` is the file system's.
 */
export class NameNotDurableError extends Error {
  override readonly name = 'NameNotDurableError'
  readonly code: string | undefined
  readonly path: string

  constructor(directory: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(`the directory ${directory} can't be opened to sync the names in it: ${reason}`, { cause })
    this.code = errorCode(cause)
    this.path = directory
  }
}

/** By its name: between threads an error loses its class. */
export function isNameNotDurable(error: unknown): boolean {
  return error instanceof Error && error.name === 'NameNotDurableError'
}

/**
 * Makes the names in a directory survive a power cut.
 *
 * @throws NameNotDurableError when the directory can't be opened; the file system's error when its sync fails.
 */
export function syncDirectory(fs: FileSystem, directory: string): void {
  const fd = openDirectory(fs, directory)
  try {
    fs.fsyncSync(fd)
  } catch (error) {
    if (!isUnsupportedSync(error)) throw error
  } finally {
    fs.closeSync(fd)
  }
}

/** The same, without blocking the event loop. */
export async function syncDirectoryAsync(fs: FileSystem, directory: string): Promise<void> {
  const fd = openDirectory(fs, directory)
  try {
    await new Promise<void>((resolve, reject) => {
      fs.fsync(fd, (error) => (error && !isUnsupportedSync(error) ? reject(error) : resolve()))
    })
  } finally {
    fs.closeSync(fd)
  }
}

function openDirectory(fs: FileSystem, directory: string): number {
  try {
    return fs.openSync(directory, 'r')
  } catch (error) {
    throw new NameNotDurableError(directory, error)
  }
}

/** Some file systems can't sync a directory and say so; their names are as durable as they get. */
function isUnsupportedSync(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'EINVAL' || code === 'ENOTSUP' || code === 'EISDIR'
}

/** Room for this user on the disk of a directory; null where it isn't there, or nothing can be written in any case. */
export function freeBytes(directory: string): number | null {
  try {
    fs.accessSync(directory, fs.constants.W_OK)
  } catch (error) {
    // Read-only images always say 0; a directory of another user is measured.
    if (errorCode(error) === 'EROFS' || isMissing(error)) return null
  }
  const { bavail, bsize } = fs.statfsSync(directory)
  return bavail * bsize
}

/** Less than a transaction of the projector takes, or a few lines of a writer. */
export const FULL_DISK_BYTES = 1024 * 1024

import * as fs from 'node:fs'
import { constants } from 'node:os'

/**
 * The file system calls that a journal's writers make. Tests inject faults here. The contract is
 * that of `node:fs`; in particular `writeSync` either throws, having written nothing, or returns
 * how many bytes it wrote.
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

/** The code of a file system error, by its Linux name. */
export function errorCode(error: unknown): string | undefined {
  return nameOf((error as NodeJS.ErrnoException | null)?.code)
}

/** The message of an error, or whatever else was thrown, as text. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/**
 * Returns the advice that ends an error message if this user may not read a file of the journal; ''
 * for any other error.
 */
export function ownerAdvice(error: unknown): string {
  const isRefused = errorCode(error) === 'EACCES'
  return isRefused ? ". Run this as the journal's owner, or share the journal with a group" : ''
}

const UNNAMED = 'Unknown system error -'

/**
 * Gives the name of a code. Node.js has none for some Linux errors, such as ESTALE, whose code ends
 * in a number instead.
 */
function nameOf(code: string | undefined): string | undefined {
  if (typeof code !== 'string' || !code.startsWith(UNNAMED)) return code
  const number = Number(code.slice(UNNAMED.length))
  return Object.entries(constants.errno).find(([, value]) => value === number)?.[0] ?? code
}

/** Whether the error says that a path leads nowhere. */
export function isMissing(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/**
 * The codes of system calls that failed but may succeed later: descriptors or memory have run
 * short, a disk is full or failing, or a mount or a permission is missing for now.
 */
const TRANSIENT_CODES = new Set([
  ...['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EBUSY', 'EINTR'],
  ...['ENOSPC', 'EDQUOT', 'EIO', 'EREMOTEIO', 'EROFS', 'ESTALE', 'ENOTCONN', 'ETIMEDOUT'],
  ...['EACCES', 'EPERM'],
])

/** Whether a system call that failed with this code may succeed later. */
export function isTransientCode(code: string | undefined): boolean {
  const name = nameOf(code)
  return name !== undefined && TRANSIENT_CODES.has(name)
}

/**
 * Each is at least as long as the granularity of file timestamps: 10 ms where they have fractions
 * of a second, else 2 s (FAT).
 */
const FINE_TICK_MS = 100
const COARSE_TICK_MS = 2000

/**
 * Whether a directory's mtime is old enough that any later change must alter it; a second change
 * within the same tick of the clock wouldn't. If every tick counted as 2 s, a writer would list the
 * directory, which takes 10 µs, twice for each `flush` in the first two seconds of a day.
 */
export function isSettled(mtimeMs: number, now: number): boolean {
  const tickMs = mtimeMs % 1000 === 0 ? COARSE_TICK_MS : FINE_TICK_MS
  return now - mtimeMs >= tickMs
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants

/**
 * Opens an existing file that others may have put there. A symbolic link would lead elsewhere, and
 * a FIFO would block the process until somebody opened its other end.
 *
 * @throws Error with code NOT_REGULAR for a link, a FIFO, a device, a socket or a directory;
 *   otherwise the file system's error.
 */
export function openRegularFile(fs: FileSystem, path: string, flags: number): number {
  let fd: number
  try {
    fd = fs.openSync(path, flags | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ELOOP') throw notRegular(path, 'a symbolic link', error)
    if (code === 'EISDIR') throw notRegular(path, 'a directory', error)
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
 * Reads a small file that others may have put there.
 *
 * @throws Error with code NOT_REGULAR, or TOO_LARGE for more than `maxBytes`; otherwise the file
 *   system's error.
 */
export function readSmallFile(path: string, maxBytes: number, fs: FileSystem = nodeFileSystem): string {
  const fd = openRegularFile(fs, path, O_RDONLY)
  try {
    // Reads one byte more than allowed, to notice a larger file: a size from fstat could be
    // outdated.
    const bytes = readUpTo(fs, fd, 0, maxBytes + 1)
    if (bytes.length <= maxBytes) return bytes.toString()
    const text = `${path} is larger than ${maxBytes} bytes, so it can't be the file that belongs there`
    throw Object.assign(new Error(text), { code: 'TOO_LARGE' })
  } finally {
    fs.closeSync(fd)
  }
}

/** Reads the bytes at an offset, or fewer if the file ends first. */
export function readUpTo(fs: FileSystem, fd: number, byteOffset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let filled = 0
  for (let read = -1; read !== 0 && filled < length; filled += read) {
    read = fs.readSync(fd, bytes, filled, length - filled, byteOffset + filled)
  }
  return bytes.subarray(0, filled)
}

function notRegular(path: string, found: string, cause?: unknown): Error {
  const error = new Error(`${path} is ${found}, expected a regular file`, { cause })
  return Object.assign(error, { code: 'NOT_REGULAR' })
}

/**
 * Thrown if a directory can't be opened to sync the names in it, for example because the process
 * ran out of file descriptors. Nothing is known to be lost, and another attempt may succeed. `code`
 * is that of the file system's error.
 */
export class NameNotDurableError extends Error {
  override readonly name = 'NameNotDurableError'
  readonly code: string | undefined
  readonly path: string

  constructor(directory: string, cause: unknown) {
    super(`the directory ${directory} can't be opened to sync the names in it: ${reasonOf(cause)}`, { cause })
    this.code = errorCode(cause)
    this.path = directory
  }
}

/**
 * Whether this is a NameNotDurableError, even one from another thread, which has lost its class on
 * the way.
 */
export function isNameNotDurable(error: unknown): boolean {
  return error instanceof Error && error.name === 'NameNotDurableError'
}

/**
 * Makes the names in a directory survive a power cut.
 *
 * @throws NameNotDurableError if the directory can't be opened; the file system's error if its sync
 *   fails.
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

/** Does what `syncDirectory` does without blocking the event loop. */
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

/** Makes the bytes of an open file survive a power cut. */
export function syncData(fs: Pick<FileSystem, 'fdatasync'>, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fdatasync(fd, (error) => (error ? reject(error) : resolve()))
  })
}

function openDirectory(fs: FileSystem, directory: string): number {
  try {
    return fs.openSync(directory, 'r')
  } catch (error) {
    throw new NameNotDurableError(directory, error)
  }
}

/**
 * Whether the error says that the file system can't sync directories, whose names are then as
 * durable as they can get.
 */
function isUnsupportedSync(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'EINVAL' || code === 'ENOTSUP' || code === 'EISDIR'
}

/** The free bytes on a directory's disk; null if it doesn't exist or the disk is read-only. */
export function freeBytes(directory: string): number | null {
  try {
    fs.accessSync(directory, fs.constants.W_OK)
  } catch (error) {
    // A read-only image always has 0 free. A directory of another user is measured all the same.
    if (errorCode(error) === 'EROFS' || isMissing(error)) return null
  }
  const { bavail, bsize } = fs.statfsSync(directory)
  return bavail * bsize
}

/**
 * A disk with fewer free bytes than this counts as full, since a transaction of the projector takes
 * more.
 */
export const FULL_DISK_BYTES = 1024 * 1024

/**
 * Whether a file is empty or ends with a newline, and not with part of a line.
 *
 * @param size the size of the file.
 */
export function endsWithNewline(fs: FileSystem, fd: number, size: number): boolean {
  if (size === 0) return true
  const last = Buffer.alloc(1)
  return fs.readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === 0x0a
}

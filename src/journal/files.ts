import * as fs from 'node:fs'

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
  | 'fsyncSync'
  | 'fsync'
  | 'fdatasync'
  | 'mkdirSync'
  | 'readdirSync'
  | 'readFileSync'
  | 'linkSync'
  | 'unlinkSync'
>

export const nodeFileSystem: FileSystem = fs

/** The wall clock, in milliseconds since 1970 UTC. */
export interface Clock {
  now(): number
}

export function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code
}

/** True when the error says that a path leads nowhere. */
export function isMissing(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** Makes the names in a directory survive a power cut. */
export function syncDirectory(fs: FileSystem, directory: string): void {
  const fd = fs.openSync(directory, 'r')
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
  const fd = fs.openSync(directory, 'r')
  try {
    await new Promise<void>((resolve, reject) => {
      fs.fsync(fd, (error) => (error && !isUnsupportedSync(error) ? reject(error) : resolve()))
    })
  } finally {
    fs.closeSync(fd)
  }
}

/** Some file systems can't sync a directory and say so; their names are as durable as they get. */
function isUnsupportedSync(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'EINVAL' || code === 'ENOTSUP' || code === 'EISDIR'
}

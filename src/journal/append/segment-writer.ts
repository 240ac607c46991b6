import { type BigIntStats, constants } from 'node:fs'
import { join } from 'node:path'
import { type FileIdentity, fileIdentity, isSameFile } from '../file-identity.js'
import {
  errorCode,
  type FileSystem,
  isMissing,
  isNameNotDurable,
  openRegularFile,
  syncDirectoryAsync,
} from '../files.js'
import { createFile } from '../new-file.js'
import type { SegmentName } from '../segments.js'

const NEWLINE_BYTE = 0x0a
const NEWLINE = Buffer.from('\n')

/** How often a line is tried again after a short write before the disk counts as refusing. */
const MAX_ATTEMPTS = 3

const { O_RDWR, O_APPEND } = constants

/**
 * What stands behind the last newline of the segment, as far as this writer left it:
 * - `clean`: nothing.
 * - `torn`: a fragment; the next line must begin with a newline.
 * - a Buffer: this whole line, of which only the newline is missing.
 */
type Tail = 'clean' | 'torn' | Buffer

/** Closes the descriptors of journals that were forgotten without `close`. What is unwritten keeps a journal alive. */
const forgotten = new FinalizationRegistry(({ fs, fd }: { fs: FileSystem; fd: number }) => fs.closeSync(fd))

/** One open segment: each line is one write(2) on an O_APPEND file, and a torn line is repaired before the next. */
export class SegmentWriter {
  readonly segment: SegmentName
  readonly path: string
  /** Which file is written, wherever its path leads by now. */
  readonly file: FileIdentity
  /** Bytes have been written since the last sync began. */
  isDirty = false
  /** Lines of this process that aren't known to be in the journal for good: written, but not flushed yet. */
  unflushedLines = 0
  readonly #fs: FileSystem
  readonly #fd: number
  readonly #directory: string
  #tail: Tail = 'clean'
  #isSyncing = false
  #isClosed = false
  /** The name is in the directory, but perhaps only in memory, whoever created it. */
  #isNameDurable = false

  /** Opens the segment, creating it with exactly `mode`, and completes what another writer left without its end. */
  constructor(fs: FileSystem, directory: string, segment: SegmentName, mode: number) {
    this.segment = segment
    this.path = join(directory, segment.name)
    this.#fs = fs
    this.#directory = directory
    const fd = openOrCreate(fs, this.path, mode)
    this.#fd = fd
    try {
      const stats = fs.fstatSync(fd, { bigint: true })
      this.file = fileIdentity(stats)
      if (!endsWithNewline(fs, fd, Number(stats.size))) {
        this.#tail = 'torn'
        this.#tryToEndFragment()
      }
    } catch (error) {
      fs.closeSync(fd)
      throw error
    }
    forgotten.register(this, { fs, fd }, this)
  }

  get hasCleanTail(): boolean {
    return this.#tail === 'clean'
  }

  /**
   * Writes a whole line, newline included. When it throws, the event counts as not written; the same Buffer given
   * again (or the copy that `retain` made of it) is then finished instead of repeated.
   */
  write(line: Buffer): void {
    this.isDirty = true
    if (this.#tail === line) {
      this.#endLine()
      return
    }
    let data = this.#tail === 'clean' ? line : Buffer.concat([NEWLINE, line])
    for (let attempt = 1; ; attempt++) {
      const written = this.#fs.writeSync(this.#fd, data, 0, data.length)
      if (written === data.length) {
        this.#tail = 'clean'
        this.unflushedLines++
        return
      }
      if (written === data.length - 1) {
        this.#tail = line
        this.#endLine()
        return
      }
      if (written > 0) this.#tail = 'torn'
      if (attempt === MAX_ATTEMPTS) throw shortWrite(written, data.length)
      data = this.#tail === 'clean' ? line : Buffer.concat([NEWLINE, line])
    }
  }

  /** A copy of a line whose write failed, to be written again later. */
  retain(line: Buffer): Buffer {
    const copy = Buffer.from(line)
    if (this.#tail === line) this.#tail = copy
    return copy
  }

  /** False when the path no longer leads to the file that is written: moved, removed, replaced, or hidden by a mount. */
  isInPlace(): boolean {
    let stats: BigIntStats
    try {
      stats = this.#fs.lstatSync(this.path, { bigint: true })
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
    return isSameFile(fileIdentity(stats), this.file)
  }

  /**
   * What has been written so far, and the segment's name, survive a power cut. Rejects when the disk says otherwise:
   * with NameNotDurableError when only the name may not, which the next sync tries again.
   */
  async sync(): Promise<void> {
    // Left while another segment was synced: an earlier sync has its bytes, or its loss was reported.
    if (this.#isClosed) return
    this.isDirty = false
    this.#isSyncing = true
    try {
      await new Promise<void>((resolve, reject) => {
        this.#fs.fdatasync(this.#fd, (error) => (error ? reject(error) : resolve()))
      })
      if (!this.#isNameDurable) {
        await syncDirectoryAsync(this.#fs, this.#directory)
        this.#isNameDurable = true
      }
    } catch (error) {
      if (isNameNotDurable(error)) this.isDirty = true
      throw error
    } finally {
      this.#isSyncing = false
      if (this.#isClosed) this.#fs.closeSync(this.#fd)
    }
  }

  /** Once is enough. While a sync runs the descriptor stays open until it is done: its number could be reused. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    forgotten.unregister(this)
    if (!this.#isSyncing) this.#fs.closeSync(this.#fd)
  }

  #endLine(): void {
    const written = this.#fs.writeSync(this.#fd, NEWLINE, 0, 1)
    if (written !== 1) throw shortWrite(written, 1)
    if (this.#tail !== 'torn') this.unflushedLines++
    this.#tail = 'clean'
  }

  #tryToEndFragment(): void {
    try {
      this.isDirty = true
      this.#endLine()
    } catch {
      // A full disk: the next line begins with a newline instead.
    }
  }
}

/** Completes the last line of a segment that is no longer written to. Where that can't be done, it stays as it is. */
export function endFragmentOf(fs: FileSystem, directory: string, segment: SegmentName): void {
  let fd: number
  try {
    fd = openRegularFile(fs, join(directory, segment.name), O_RDWR | O_APPEND)
  } catch {
    // Gone, read-only or no regular file: its fragment waits, and doctor shows it.
    return
  }
  try {
    if (!endsWithNewline(fs, fd, fs.fstatSync(fd).size)) fs.writeSync(fd, NEWLINE, 0, 1)
  } catch {
    // As above: nothing is lost by a fragment that stays one.
  } finally {
    fs.closeSync(fd)
  }
}

function openOrCreate(fs: FileSystem, path: string, mode: number): number {
  try {
    return createFile(fs, path, { mode, flags: O_RDWR | O_APPEND })
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    return openRegularFile(fs, path, O_RDWR | O_APPEND)
  }
}

function endsWithNewline(fs: FileSystem, fd: number, size: number): boolean {
  if (size === 0) return true
  const last = Buffer.alloc(1)
  return fs.readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === NEWLINE_BYTE
}

function shortWrite(written: number, length: number): Error {
  return Object.assign(new Error(`short write: ${written} of ${length} bytes`), { code: 'ESHORT' })
}

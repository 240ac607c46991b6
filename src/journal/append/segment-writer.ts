import { type BigIntStats, constants } from 'node:fs'
import { join } from 'node:path'
import { type FileIdentity, fileIdentity, isSameFile } from '../file-identity.js'
import {
  endsWithNewline,
  type FileSystem,
  isMissing,
  isNameNotDurable,
  openRegularFile,
  syncData,
  syncDirectoryAsync,
} from '../file-system.js'
import { openOrCreateFile } from '../new-file.js'
import type { SegmentRef } from '../segments.js'

/**
 * Writes lines to one open file, whose descriptor it owns, each in one write(2), and ends a torn
 * line before it writes the next one. (LineWriter says how the three classes share the work.)
 */
export class SegmentWriter {
  readonly segment: SegmentRef
  readonly path: string
  /** The file that is open, wherever its path leads now. */
  readonly file: FileIdentity
  /** Whether anything has been written since the last sync began. */
  isDirty = false
  /** How many lines of this process were written but not flushed, and so may be lost. */
  unflushedLines = 0
  readonly #fs: FileSystem
  readonly #fd: number
  readonly #directory: string
  #tail: Tail = 'clean'
  #isSyncing = false
  #isClosed = false
  /** Whether the directory was synced, so that the file's name survives a power cut. */
  #isNameDurable = false

  /** Opens the segment, or creates it with exactly `mode`, and ends a fragment in it. */
  constructor(fs: FileSystem, directory: string, segment: SegmentRef, mode: number) {
    this.segment = segment
    this.path = join(directory, segment.name)
    this.#fs = fs
    this.#directory = directory
    const fd = openOrCreateFile(fs, this.path, { mode, flags: O_RDWR | O_APPEND })
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
   * Writes a whole line, newline included. If it throws, the event counts as not written. Given the
   * same Buffer again, or the copy that `retain` made of it, it finishes the line rather than
   * repeating it.
   */
  write(line: Buffer): void {
    this.isDirty = true
    // An earlier call wrote this very line, but failed to write its newline.
    if (this.#tail === line) {
      this.#endLine()
      return
    }
    for (let attempt = 1; ; attempt++) {
      const data = this.#tail === 'clean' ? line : Buffer.concat([NEWLINE, line])
      const written = this.#fs.writeSync(this.#fd, data, 0, data.length)
      if (written === data.length) {
        this.#tail = 'clean'
        this.unflushedLines++
        return
      }
      // Only the newline is missing. Writing the whole line again would put it there twice.
      if (written === data.length - 1) {
        this.#tail = line
        this.#endLine()
        return
      }
      // A fragment was written. The next attempt, or the next line, ends it first.
      if (written > 0) this.#tail = 'torn'
      if (attempt === MAX_ATTEMPTS) throw shortWrite(written, data.length)
    }
  }

  /** A copy of a line whose write failed, to be written again later. */
  retain(line: Buffer): Buffer {
    const copy = Buffer.from(line)
    // If only its newline is missing, `write` must recognize the copy as this line.
    if (this.#tail === line) this.#tail = copy
    return copy
  }

  /**
   * Whether the path still leads to this file, which may have been moved, replaced or mounted over.
   */
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
   * Resolves once everything written so far, and the segment's name, survive a power cut.
   *
   * @throws NameNotDurableError if the lines are safe but the name may not survive, which the next
   *   sync tries to mend; the file system's error if the lines themselves may be lost.
   */
  async sync(): Promise<void> {
    // This segment was closed while another one was being synced: either its loss was logged, or an
    // earlier sync covered it.
    if (this.#isClosed) return
    this.isDirty = false
    this.#isSyncing = true
    try {
      await syncData(this.#fs, this.#fd)
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

  /**
   * Closes the file, after any running sync, since the number of its descriptor could otherwise be
   * reused while the sync runs.
   */
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
      // The disk may be full. The next line begins with a newline instead.
    }
  }
}

const NEWLINE = Buffer.from('\n')

/** How many short writes in a row count as a failed write. */
const MAX_ATTEMPTS = 3

const { O_RDWR, O_APPEND } = constants

/**
 * What follows the last newline of the segment, as far as this writer knows:
 *
 * - `clean`: nothing.
 * - `torn`: a fragment of a line. The next line must begin with a newline.
 * - a Buffer: this whole line, without its newline. It's compared by identity: only this very line
 *   must be finished rather than written.
 */
type Tail = 'clean' | 'torn' | Buffer

/**
 * Closes the descriptors of journals that were garbage collected without `close`. A journal that
 * still holds events in memory is never garbage collected.
 */
const forgotten = new FinalizationRegistry(({ fs, fd }: { fs: FileSystem; fd: number }) => fs.closeSync(fd))

/** Ends the last line of a segment that is no longer appended to, if it can. */
export function endFragmentOf(fs: FileSystem, directory: string, segment: SegmentRef): void {
  let fd: number
  try {
    fd = openRegularFile(fs, join(directory, segment.name), O_RDWR | O_APPEND)
  } catch {
    // The file is gone, read-only or not a regular one. Its fragment stays, and doctor shows it.
    return
  }
  try {
    if (!endsWithNewline(fs, fd, fs.fstatSync(fd).size)) fs.writeSync(fd, NEWLINE, 0, 1)
  } catch {
    // Nothing is lost if the fragment stays.
  } finally {
    fs.closeSync(fd)
  }
}

function shortWrite(written: number, length: number): Error {
  return Object.assign(new Error(`short write: ${written} of ${length} bytes`), { code: 'ESHORT' })
}

import { join } from 'node:path'
import { JournalWriteError } from './errors.js'
import { type Clock, errorCode, type FileSystem, isSettled, syncDirectory } from './files.js'
import { createFile } from './new-file.js'
import type { JournalLogger } from './options.js'
import { endFragmentOf, SegmentWriter } from './segment-writer.js'
import {
  distrustMarker,
  listSegments,
  nextNumber,
  type Segment,
  type SegmentName,
  segmentToWrite,
  utcDay,
} from './segments.js'
import { quietly } from './warnings.js'

/** How often a writer looks for a new day, a newer segment and a lost one. */
const LOOK_MS = 1000

interface ActiveSegmentOptions {
  fs: FileSystem
  clock: Clock
  directory: string
  fileMode: number
  logger: JournalLogger
  /** Throws when the directory no longer holds the journal that was opened: somebody has put another in its place. */
  checkJournal(): void
}

/**
 * Which segment this writer is on. It opens the greatest one or today's, whichever is greater, and looks again each
 * second: so it rolls at midnight, follows other writers, never goes backward, and notices a segment that was lost.
 */
export class ActiveSegment {
  readonly #options: ActiveSegmentOptions
  #writer: SegmentWriter | null = null
  /** Rolled away from, but not synced yet. */
  #retired: SegmentWriter[] = []
  #lookedAt = Number.NEGATIVE_INFINITY
  /** The directory's time of change when it was last listed; NaN, which equals nothing, while that can't be relied on. */
  #directoryMtimeMs = Number.NaN
  #linesSinceLook = 0
  /** A sync failed: leave the segment as soon as its tail is clean. */
  #mustLeave = false
  #loss: JournalWriteError | null = null

  constructor(options: ActiveSegmentOptions) {
    this.#options = options
  }

  get path(): string {
    return this.#writer?.path ?? this.#options.directory
  }

  /** Something was written that no sync has covered. */
  get isDirty(): boolean {
    return this.#writer?.isDirty === true || this.#retired.length > 0
  }

  /** Call `lookIfDue` before: once for several lines is enough. */
  write(line: Buffer): void {
    const writer = this.#writer ?? this.#reopen()
    writer.write(line)
    this.#linesSinceLook++
  }

  retain(line: Buffer): Buffer {
    return this.#writer === null ? Buffer.from(line) : this.#writer.retain(line)
  }

  /** Looks when a second has passed, or the clock went back. */
  lookIfDue(): void {
    const now = this.#options.clock.now()
    if (now - this.#lookedAt >= LOOK_MS || now < this.#lookedAt) this.look()
  }

  /** Is the segment still in place, and still the one to write? Opens the right one where it isn't. */
  look(): void {
    const now = this.#options.clock.now()
    this.#lookedAt = now
    const writer = this.#writer
    if (writer === null) {
      this.#open()
      return
    }
    if (!writer.isInPlace()) {
      if (this.#wasArchived(writer)) this.#leave(writer)
      else this.#reportLoss(writer)
      this.#open()
    } else if (
      writer.hasCleanTail &&
      (this.#mustLeave || writer.segment.day < utcDay(now) || this.#hasNews(now))
    ) {
      this.#roll(writer)
    }
    this.#linesSinceLook = 0
  }

  /**
   * Syncs every segment written to since the last call. When a sync fails, that segment is marked as distrusted and
   * left; the error says so, and nothing that was written there is written again.
   *
   * @throws JournalWriteError SYNC_FAILED; SEGMENT_LOST when a path no longer leads to the file that was synced.
   */
  async sync(): Promise<void> {
    const retired = this.#retired
    this.#retired = []
    const writers = this.#writer === null ? retired : [...retired, this.#writer]
    let failure: JournalWriteError | null = null
    for (const writer of writers) {
      try {
        await writer.sync()
        if (writer !== this.#writer && !this.#isKept(writer)) this.#reportLoss(writer)
      } catch (error) {
        failure = this.#distrust(writer, error)
      }
      // Unless it was written to and left while this sync ran: then the next one has it.
      if (writer !== this.#writer && !this.#retired.includes(writer)) writer.close()
    }
    this.#lookQuietly()
    failure ??= this.#loss
    this.#loss = null
    if (failure !== null) throw failure
  }

  /** A segment was left that no sync has covered since. */
  get hasRetired(): boolean {
    return this.#retired.length > 0
  }

  close(): void {
    for (const writer of this.#retired) writer.close()
    this.#retired = []
    this.#writer?.close()
    this.#writer = null
  }

  /** A look that threw has left no writer behind: say so again on every write, until it works. */
  #reopen(): SegmentWriter {
    this.#open()
    if (this.#writer === null) throw new Error('unreachable: #open sets a writer or throws')
    return this.#writer
  }

  #open(): void {
    const { fs, clock, directory, checkJournal } = this.#options
    // First: if none can be opened, the old one must not be taken for the current one.
    this.#writer?.close()
    this.#writer = null
    checkJournal()
    const segments = listSegments(directory, fs)
    this.#start(segmentToWrite(segments, utcDay(clock.now())), segments)
  }

  #roll(writer: SegmentWriter): void {
    const { fs, clock, directory } = this.#options
    const segments = listSegments(directory, fs)
    let target = segmentToWrite(segments, utcDay(clock.now()))
    if (this.#mustLeave && target.id <= writer.segment.id) target = nextNumber(writer.segment)
    // Never backward, wherever the clock went.
    if (target.id <= writer.segment.id) return
    this.#start(target, segments)
    if (writer.isDirty) this.#retired.push(writer)
    else writer.close()
  }

  #start(target: SegmentName, segments: readonly Segment[]): void {
    const { fs, directory, fileMode } = this.#options
    this.#writer = new SegmentWriter(fs, directory, target, fileMode)
    this.#mustLeave = false
    const before = segments.findLast((segment) => segment.id < target.id && !segment.isArchived)
    if (before !== undefined) endFragmentOf(fs, directory, before)
    this.#directoryMtimeMs = Number.NaN
  }

  /** The directory has changed since it was last listed, or may have. */
  #hasNews(now: number): boolean {
    const { mtimeMs } = this.#options.fs.statSync(this.#options.directory)
    const hasNews = mtimeMs !== this.#directoryMtimeMs
    this.#directoryMtimeMs = isSettled(mtimeMs, now) ? mtimeMs : Number.NaN
    return hasNews
  }

  /** What was written to it is in the journal, even if its path leads elsewhere. */
  #isKept(writer: SegmentWriter): boolean {
    return writer.isInPlace() || this.#wasArchived(writer)
  }

  /**
   * Archiving waits for longer than a writer goes without a look, and takes along what is appended meanwhile; where the
   * plain file has gone already, nothing may have been. A line that only lacks its newline would be written again, so
   * that is told as a loss.
   */
  #wasArchived(writer: SegmentWriter): boolean {
    const { directory, fs } = this.#options
    const segment = listSegments(directory, fs).find(({ id }) => id === writer.segment.id)
    if (segment === undefined || !segment.isArchived || !writer.hasCleanTail) return false
    return segment.isLeaving || writer !== this.#writer || this.#linesSinceLook === 0
  }

  /** What no sync has covered is synced once more, through the descriptor it was written by. */
  #leave(writer: SegmentWriter): void {
    this.#writer = null
    if (writer.isDirty) this.#retired.push(writer)
    else writer.close()
  }

  #reportLoss(writer: SegmentWriter): void {
    const { logger } = this.#options
    const text = `${writer.path} was moved, removed or replaced while it was written to`
    const error = new JournalWriteError('SEGMENT_LOST', `${text}: what was appended since may be lost`, {
      path: writer.path,
    })
    this.#loss = error
    const fields = { err: error, path: writer.path, events_since_last_look: this.#linesSinceLook }
    quietly(() => logger.error(fields, 'Journal segment lost: events since the last look may be gone'))
  }

  #distrust(writer: SegmentWriter, cause: unknown): JournalWriteError {
    const { logger, directory } = this.#options
    const reason = cause instanceof Error ? cause.message : String(cause)
    const text = `Syncing ${writer.path} failed (${reason}): what was appended since the last flush may not be on disk`
    const error = new JournalWriteError('SYNC_FAILED', text, { path: writer.path, cause })
    if (writer === this.#writer) this.#mustLeave = true
    quietly(() =>
      logger.error({ err: error, path: writer.path }, 'Journal segment distrusted: its sync failed'),
    )
    try {
      this.#mark(writer.segment, reason)
    } catch (markerError) {
      const fields = { err: markerError, path: join(directory, distrustMarker(writer.segment)) }
      quietly(() => logger.error(fields, 'The marker of a distrusted segment could not be written'))
    }
    return error
  }

  /** Durable, so that it outlives the power cut that may follow. */
  #mark(segment: SegmentName, reason: string): void {
    const { fs, clock, directory, fileMode } = this.#options
    const path = join(directory, distrustMarker(segment))
    let fd: number
    try {
      fd = createFile(fs, path, { mode: fileMode })
    } catch (error) {
      // Another writer has marked it.
      if (errorCode(error) === 'EEXIST') return
      throw error
    }
    try {
      fs.writeSync(fd, `${JSON.stringify({ at: new Date(clock.now()).toISOString(), error: reason })}\n`)
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
    syncDirectory(fs, directory)
  }

  /** Opening the next segment may fail as well; the next write tries again and reports it. */
  #lookQuietly(): void {
    try {
      this.look()
    } catch (error) {
      quietly(() => this.#options.logger.error({ err: error }, 'No segment can be opened'))
    }
  }
}

import { join } from 'node:path'
import { JournalWriteError } from '../errors.js'
import { fileIdentityAt, isSameFile } from '../file-identity.js'
import { type Clock, type FileSystem, isNameNotDurable, isSettled } from '../files.js'
import {
  distrustMarker,
  listSegments,
  nextNumber,
  type Segment,
  type SegmentName,
  segmentToWrite,
  utcDay,
} from '../segments.js'
import { markDistrusted } from './distrust.js'
import { LostSegments } from './lost-segments.js'
import type { JournalLogger } from './options.js'
import { endFragmentOf, SegmentWriter } from './segment-writer.js'
import { quietly } from './warnings.js'

/** How often a writer looks for a new day, a newer segment and a lost one. */
const LOOK_MS = 1000

/** Files that are compared with one that is not in its place: 2 µs each, and a new name is one of the newest. */
const MAX_COMPARED = 1000

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
  readonly #lost: LostSegments

  constructor(options: ActiveSegmentOptions) {
    this.#options = options
    this.#lost = new LostSegments(options.logger)
  }

  get path(): string {
    return this.#writer?.path ?? this.#options.directory
  }

  /** Something was written that no sync has covered. */
  get isDirty(): boolean {
    return this.#writer?.isDirty === true || this.#retired.length > 0
  }

  get isOpen(): boolean {
    return this.#writer !== null
  }

  /** Events that may be only in a file that the journal no longer has. */
  get lostEvents(): number {
    return this.#lost.lines
  }

  /** A segment was lost, and the next sync has to say so. */
  get hasUntoldLoss(): boolean {
    return this.#lost.isUntold
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
      if (this.#wasArchived(writer) || this.#wasRenamed(writer)) this.#leave(writer)
      else {
        this.#lost.add(writer)
        this.#writer = null
      }
      try {
        this.#open()
      } finally {
        this.#lost.report()
      }
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
   * @throws JournalWriteError SYNC_FAILED; SYNC_INCOMPLETE, after which the next call tries again; SEGMENT_LOST when a
   *   path no longer leads to the file that was synced.
   */
  async sync(): Promise<void> {
    const retired = this.#retired
    this.#retired = []
    const writers = this.#writer === null ? retired : [...retired, this.#writer]
    let failure: JournalWriteError | null = null
    for (const writer of writers) {
      const lines = writer.unflushedLines
      try {
        await writer.sync()
      } catch (error) {
        failure = isNameNotDurable(error) ? this.#postpone(writer, error) : this.#distrust(writer, error)
      }
      if (failure === null) failure = this.#checkKept(writer, lines)
      // Unless it was written to and left while this sync ran: then the next one has it.
      if (writer !== this.#writer && !this.#retired.includes(writer)) writer.close()
    }
    this.#lookQuietly()
    const loss = this.#lost.tell()
    failure ??= loss
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
    this.#lost.close()
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
    this.#lost.reopened(this.#writer)
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
    return writer.isInPlace() || this.#wasArchived(writer) || this.#wasRenamed(writer)
  }

  /** As `redate` does: under its new name what was written is in the journal all the same. */
  #wasRenamed(writer: SegmentWriter): boolean {
    const { directory, fs } = this.#options
    const isIt = ({ name }: Segment) => isSameFile(fileIdentityAt(join(directory, name), fs), writer.file)
    return writer.hasCleanTail && listSegments(directory, fs).slice(-MAX_COMPARED).some(isIt)
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

  /** After a sync: the lines it covers are durable only in a file that is still the journal's. */
  #checkKept(writer: SegmentWriter, lines: number): JournalWriteError | null {
    try {
      if (this.#isKept(writer)) writer.unflushedLines -= lines
      else if (writer !== this.#writer) {
        this.#lost.add(writer, true)
        this.#lost.report()
      }
      return null
    } catch (error) {
      return this.#postpone(writer, error)
    }
  }

  /** Nothing is known to be lost, but that everything is safe isn't known either: the next sync looks again. */
  #postpone(writer: SegmentWriter, cause: unknown): JournalWriteError {
    writer.isDirty = true
    if (writer !== this.#writer && !this.#retired.includes(writer)) this.#retired.push(writer)
    const reason = cause instanceof Error ? cause.message : String(cause)
    const text = `${writer.path} was synced, but whether its name survives a power cut isn't known (${reason}): flush again`
    return new JournalWriteError('SYNC_INCOMPLETE', writer.path, text, { cause })
  }

  #distrust(writer: SegmentWriter, cause: unknown): JournalWriteError {
    const { logger, directory } = this.#options
    const reason = cause instanceof Error ? cause.message : String(cause)
    const text = `Syncing ${writer.path} failed (${reason}): what was appended since the last flush may not be on disk`
    const error = new JournalWriteError('SYNC_FAILED', writer.path, text, { cause })
    if (writer === this.#writer) this.#mustLeave = true
    quietly(() =>
      logger.error({ err: error, path: writer.path }, 'Journal segment distrusted: its sync failed'),
    )
    try {
      markDistrusted(this.#options, writer.segment, reason)
    } catch (markerError) {
      const fields = { err: markerError, path: join(directory, distrustMarker(writer.segment)) }
      quietly(() => logger.error(fields, 'The marker of a distrusted segment could not be written'))
    }
    return error
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

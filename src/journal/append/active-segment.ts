import { join } from 'node:path'
import { JournalWriteError } from '../errors.js'
import { fileIdentityAt, isSameFile } from '../file-identity.js'
import {
  type Clock,
  errorCode,
  type FileSystem,
  isNameNotDurable,
  isSettled,
  reasonOf,
  syncDirectory,
} from '../file-system.js'
import type { JournalLogger } from '../logger.js'
import { createFile } from '../new-file.js'
import {
  distrustMarker,
  listSegments,
  nextSegmentOfDay,
  type Segment,
  type SegmentRef,
  segmentToWrite,
  utcDay,
} from '../segments.js'
import { LostSegments } from './lost-segments.js'
import { endFragmentOf, SegmentWriter } from './segment-writer.js'
import { quietly } from './warnings.js'

/**
 * Decides which file this process appends to: the journal's latest segment or today's, whichever is
 * later. A look each second rolls to a new segment at midnight, follows other writers, and notices
 * a segment that was lost. A writer never goes back to an earlier segment. (LineWriter says how
 * the three classes share the work.)
 */
export class ActiveSegment {
  readonly #options: ActiveSegmentOptions
  #writer: SegmentWriter | null = null
  /** Segments that are no longer appended to but aren't synced yet. */
  #retired: SegmentWriter[] = []
  #lookedAt = Number.NEGATIVE_INFINITY
  /**
   * The directory's mtime when it was last listed; NaN if the directory could still change without
   * changing its mtime.
   */
  #directoryMtimeMs = Number.NaN
  #linesSinceLook = 0
  /** A sync failed, so the segment must be retired as soon as its tail is clean. */
  #mustRetire = false
  readonly #lost: LostSegments

  constructor(options: ActiveSegmentOptions) {
    this.#options = options
    this.#lost = new LostSegments(options.logger)
  }

  get path(): string {
    return this.#writer?.path ?? this.#options.directory
  }

  /** Whether something was written that no sync has covered. */
  get isDirty(): boolean {
    return this.#writer?.isDirty === true || this.#retired.length > 0
  }

  get isOpen(): boolean {
    return this.#writer !== null
  }

  /** How many events may be only in a file that the journal no longer has. */
  get lostEvents(): number {
    return this.#lost.lines
  }

  /** Whether a segment was lost and no sync has rejected because of it yet. */
  get hasPendingLoss(): boolean {
    return this.#lost.hasPendingError
  }

  /** Appends a line. Call `lookIfDue` first; once is enough for several lines. */
  write(line: Buffer): void {
    // After a look that threw, it may be that no segment is open. Then each write tries to open
    // one, and may throw.
    const writer = this.#writer ?? this.#open()
    writer.write(line)
    this.#linesSinceLook++
  }

  /** A copy of a line whose write failed, to be written again later. */
  retain(line: Buffer): Buffer {
    return this.#writer === null ? Buffer.from(line) : this.#writer.retain(line)
  }

  /** Looks if a second has passed since the last look, or the clock went back. */
  lookIfDue(): void {
    const now = this.#options.clock.now()
    if (now - this.#lookedAt >= LOOK_MS || now < this.#lookedAt) this.look()
  }

  /**
   * Opens the right segment if the path of the current one no longer leads to it, or if another one
   * is to be appended to.
   */
  look(): void {
    const now = this.#options.clock.now()
    this.#lookedAt = now
    const writer = this.#writer
    if (writer === null) {
      this.#open()
      return
    }
    if (!writer.isInPlace()) {
      const isKept = this.#wasArchived(writer) || this.#wasRenamed(writer)
      this.#writer = null
      if (isKept) this.#retire(writer)
      else this.#lost.add(writer)
      try {
        this.#open()
      } finally {
        this.#lost.logLosses()
      }
    } else if (
      writer.hasCleanTail &&
      (this.#mustRetire || writer.segment.day < utcDay(now) || this.#noticeChange(now))
    ) {
      this.#roll(writer)
    }
    this.#linesSinceLook = 0
  }

  /**
   * Syncs every segment that has been written to since the last call. A segment whose sync fails is
   * marked as distrusted and no longer appended to; what was written there isn't written again.
   *
   * @throws JournalWriteError SYNC_FAILED; SYNC_INCOMPLETE, after which the next call tries again;
   *   SEGMENT_LOST if a path no longer leads to the file that was synced.
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
        failure = isNameNotDurable(error)
          ? this.#postpone(writer, error, 'its name may not survive a power cut')
          : this.#distrust(writer, error)
      }
      if (failure === null) failure = this.#checkKept(writer, lines)
      // A segment that was written to and retired while this sync ran is closed by the next sync.
      if (writer !== this.#writer && !this.#retired.includes(writer)) writer.close()
    }
    const writer = this.#writer
    this.#lookQuietly()
    const loss = this.#lost.takePendingError()
    failure ??= loss
    if (failure !== null) throw failure
    // A lost segment may have come back during the look, with lines that weren't synced.
    if (this.#writer !== writer && this.isDirty) await this.sync()
  }

  /** Whether a retired segment still waits for a sync. */
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

  #open(): SegmentWriter {
    const { fs, clock, directory, checkJournal } = this.#options
    // If no segment can be opened, the old one mustn't remain the current one.
    this.#writer?.close()
    this.#writer = null
    checkJournal()
    const segments = listSegments(directory, fs)
    return this.#start(segmentToWrite(segments, utcDay(clock.now())), segments)
  }

  #roll(writer: SegmentWriter): void {
    const { fs, clock, directory } = this.#options
    const segments = listSegments(directory, fs)
    let target = segmentToWrite(segments, utcDay(clock.now()))
    if (this.#mustRetire && target.id <= writer.segment.id) target = nextSegmentOfDay(writer.segment)
    // The clock may have gone back, but a writer never goes back to an earlier segment.
    if (target.id <= writer.segment.id) return
    this.#start(target, segments)
    this.#retire(writer)
  }

  #start(target: SegmentRef, segments: readonly Segment[]): SegmentWriter {
    const { fs, directory, fileMode } = this.#options
    const writer = new SegmentWriter(fs, directory, target, fileMode)
    this.#writer = writer
    this.#lost.segmentOpened(writer)
    this.#mustRetire = false
    const before = segments.findLast((segment) => segment.id < target.id && segment.state === 'plain')
    if (before !== undefined) endFragmentOf(fs, directory, before)
    this.#directoryMtimeMs = Number.NaN
    return writer
  }

  /** Returns whether the directory has changed, or may have, since the last call. */
  #noticeChange(now: number): boolean {
    const { mtimeMs } = this.#options.fs.statSync(this.#options.directory)
    const hasChanged = mtimeMs !== this.#directoryMtimeMs
    this.#directoryMtimeMs = isSettled(mtimeMs, now) ? mtimeMs : Number.NaN
    return hasChanged
  }

  /**
   * Whether what was written to the file is still in the journal, even if its path now leads
   * elsewhere.
   */
  #isKept(writer: SegmentWriter): boolean {
    return writer.isInPlace() || this.#wasArchived(writer) || this.#wasRenamed(writer)
  }

  /** Whether the file is still a segment, but under another name, because `redate` renamed it. */
  #wasRenamed(writer: SegmentWriter): boolean {
    const { directory, fs } = this.#options
    const isThisFile = ({ name }: Segment) =>
      isSameFile(fileIdentityAt(join(directory, name), fs), writer.file)
    return writer.hasCleanTail && listSegments(directory, fs).slice(-MAX_COMPARED).some(isThisFile)
  }

  /** Whether the file was replaced by an archive that has everything written here. */
  #wasArchived(writer: SegmentWriter): boolean {
    const { directory, fs } = this.#options
    const segment = listSegments(directory, fs).find(({ id }) => id === writer.segment.id)
    if (segment === undefined || segment.state === 'plain') return false
    // A last line that lacks its newline will be written again elsewhere: the segment counts as
    // lost.
    if (!writer.hasCleanTail) return false
    // `archive` keeps the plain file for longer than a writer goes without a look, and archives
    // what is appended to it meanwhile as well.
    if (segment.state === 'leaving') return true
    // The plain file is gone too. A retired segment has received no lines since the look that
    // retired it, and that look came before its plain file was removed.
    if (writer !== this.#writer) return true
    // A line that has been written since the last look may have come too late for the archive.
    return this.#linesSinceLook === 0
  }

  /**
   * Retires a segment: closes it, or leaves that to the next sync if its last lines aren't synced
   * yet.
   */
  #retire(writer: SegmentWriter): void {
    if (writer.isDirty) this.#retired.push(writer)
    else writer.close()
  }

  /**
   * Checks, after a sync, whether the file is still the journal's: only then are its lines durable.
   */
  #checkKept(writer: SegmentWriter, lines: number): JournalWriteError | null {
    try {
      if (this.#isKept(writer)) writer.unflushedLines -= lines
      else if (writer !== this.#writer) {
        this.#lost.add(writer, true)
        this.#lost.logLosses()
      }
      return null
    } catch (error) {
      return this.#postpone(writer, error, "whether the journal still has it couldn't be checked")
    }
  }

  /**
   * Leaves the rest to the next sync, since nothing is known to be lost.
   *
   * @param doubt what isn't certain although the segment was synced.
   */
  #postpone(writer: SegmentWriter, cause: unknown, doubt: string): JournalWriteError {
    writer.isDirty = true
    if (writer !== this.#writer && !this.#retired.includes(writer)) this.#retired.push(writer)
    const reason = reasonOf(cause)
    const text = `${writer.path} was synced, but ${doubt} (${reason}): flush again`
    return new JournalWriteError('SYNC_INCOMPLETE', writer.path, text, { cause })
  }

  #distrust(writer: SegmentWriter, cause: unknown): JournalWriteError {
    const { logger, directory } = this.#options
    const reason = reasonOf(cause)
    const text = `Syncing ${writer.path} failed (${reason}): what was appended since the last flush may not be on disk`
    const error = new JournalWriteError('SYNC_FAILED', writer.path, text, { cause })
    if (writer === this.#writer) this.#mustRetire = true
    quietly(() =>
      logger.error({ err: error, path: writer.path }, 'Journal segment distrusted: its sync failed'),
    )
    try {
      markDistrusted(this.#options, writer.segment, reason)
    } catch (markerError) {
      const fields = { err: markerError, path: join(directory, distrustMarker(writer.segment)) }
      quietly(() => logger.error(fields, "The marker of a distrusted segment couldn't be written"))
    }
    return error
  }

  /** Looks without throwing. If that fails, the next write tries again, and throws. */
  #lookQuietly(): void {
    try {
      this.look()
    } catch (error) {
      quietly(() => this.#options.logger.error({ err: error }, 'No segment can be opened'))
    }
  }
}

/**
 * How often a writer checks whether a new day has begun, whether there is a newer segment, and
 * whether its own segment was lost.
 */
const LOOK_MS = 1000

/**
 * How many of the newest files are compared with a file that is no longer at its path; each
 * comparison takes 2 µs.
 */
const MAX_COMPARED = 1000

interface ActiveSegmentOptions {
  fs: FileSystem
  clock: Clock
  directory: string
  fileMode: number
  logger: JournalLogger
  /** Throws if the directory no longer holds the journal that was opened. */
  checkJournal(): void
}

/** Marks a segment whose sync failed. The mark outlives the power cut that may follow. */
function markDistrusted(options: ActiveSegmentOptions, segment: SegmentRef, reason: string): void {
  const { fs, clock, directory, fileMode } = options
  let fd: number
  try {
    fd = createFile(fs, join(directory, distrustMarker(segment)), { mode: fileMode })
  } catch (error) {
    // Another writer has marked it already.
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

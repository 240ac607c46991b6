import { JournalWriteError } from '../errors.js'
import { type Clock, errorCode, type FileSystem, isTransientCode, reasonOf } from '../file-system.js'
import { assertIdentity } from '../journal-identity.js'
import { ActiveSegment } from './active-segment.js'
import { GroupCommit } from './group-commit.js'
import type { ResolvedOptions } from './options.js'
import { BoundedWarnings, quietly } from './warnings.js'

/**
 * Writes encoded lines, in order, to the segment or, while the disk refuses writes, to memory; and
 * syncs them. Three classes share the work, each on top of the next: LineWriter (buffer, ticks,
 * flush) → ActiveSegment (which file) → SegmentWriter (one open file).
 *
 * Callers must prepare, then encode, then write, with nothing in between: the next line reuses the
 * buffer that a line is encoded into, and the logger that takes a warning may itself append to this
 * journal.
 */
export class LineWriter {
  readonly #options: ResolvedOptions
  readonly #clock: Clock
  readonly #segment: ActiveSegment
  readonly #buffer: WriteBuffer
  readonly #failures: BoundedWarnings
  readonly #losses: BoundedWarnings
  readonly #group = new GroupCommit(() => this.#sync())
  readonly #onExit = (): void => this.#giveUp()
  #appended = 0
  #dropped = 0
  #tick: NodeJS.Timeout | null = null
  #retryAt = 0
  #isClosed = false
  #closing: Promise<void> | null = null
  /** Whether a flush waits for the next sync. */
  #isFlushWaiting = false
  /** The failure of a sync that the next flush must reject with; null if there is none. */
  #pendingError: unknown = null

  /** @throws JournalWriteError if no segment can be opened, unless the reason may be temporary. */
  constructor(options: ResolvedOptions, journalId: string, { fs, clock }: JournalPorts) {
    this.#options = options
    this.#clock = clock
    const { directory, fileMode, logger } = options
    const checkJournal = () => assertIdentity(directory, journalId, fs)
    this.#segment = new ActiveSegment({ fs, clock, directory, fileMode, logger, checkJournal })
    this.#buffer = new WriteBuffer(options.bufferBytes)
    this.#failures = new BoundedWarnings(logger)
    this.#losses = new BoundedWarnings(logger)
    this.#openFirstSegment()
  }

  get counters(): { appended: number; buffered: number; dropped: number } {
    return {
      appended: this.#appended,
      buffered: this.#buffer.length,
      dropped: this.#dropped + this.#segment.lostEvents,
    }
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /**
   * Writes the waiting lines, and looks for the segment to append to.
   *
   * @throws JournalWriteError BUFFER_NOT_EMPTY, WRITE_FAILED; the caller mustn't write its line
   *   then.
   */
  prepare(): void {
    this.#drainOrThrow()
    try {
      this.#segment.lookIfDue()
    } catch (error) {
      throw this.#writeError(error)
    }
  }

  /** @throws JournalWriteError WRITE_FAILED */
  write(line: Buffer): void {
    try {
      this.#segment.write(line)
    } catch (error) {
      throw this.#writeError(error)
    }
    this.#countWritten()
  }

  /**
   * Does what `prepare` does, but tries at most once every RETRY_MS while the disk refuses writes,
   * and returns the error instead of throwing it.
   *
   * @returns the reason why a line can't be written now, or null.
   */
  prepareOrExplain(): unknown {
    if (this.#buffer.length > 0) {
      const now = this.#clock.now()
      if (now < this.#retryAt && this.#retryAt - now <= RETRY_MS) return this.#bufferError()
      this.#retryAt = now + RETRY_MS
    }
    try {
      this.#drain()
      this.#segment.lookIfDue()
      return null
    } catch (error) {
      return error
    }
  }

  /**
   * Writes the line, or keeps it after the lines that are waiting already, or counts it as lost.
   * Never throws.
   */
  writeOrKeep(line: Buffer, correlationId: string, refusal: unknown): void {
    if (refusal !== null) {
      this.#keep(line, correlationId, refusal)
      return
    }
    try {
      this.#segment.write(line)
      this.#countWritten()
    } catch (error) {
      this.#keep(line, correlationId, error)
    }
  }

  /** Counts a lost event, and logs a warning. */
  drop(correlationId: string, error: unknown): void {
    this.#dropped++
    const fields = {
      correlation_id: correlationId,
      err: error,
      dropped: this.#dropped + this.#segment.lostEvents,
    }
    this.#losses.warn(this.#clock.now(), fields, 'Failed to write request log to journal: event lost')
  }

  /** See Journal.flush. All callers that wait for one sync get the same promise. */
  flush(): Promise<void> {
    try {
      this.#drainOrThrow()
    } catch (error) {
      return Promise.reject(error)
    }
    this.#isFlushWaiting = true
    return this.#group.join()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close().catch((error) => {
      this.#closing = null
      throw error
    })
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#drainOrThrow()
    this.#isClosed = true
    try {
      await this.flush()
    } catch (error) {
      this.#isClosed = false
      this.#armTick()
      throw error
    }
    if (this.#tick !== null) clearTimeout(this.#tick)
    this.#tick = null
    this.#segment.close()
  }

  #keep(line: Buffer, correlationId: string, error: unknown): void {
    if (!this.#buffer.push(this.#segment.retain(line))) {
      this.drop(correlationId, error)
      return
    }
    if (this.#buffer.length === 1) onExit(this.#onExit)
    this.#armTick()
    const fields = { correlation_id: correlationId, err: error, buffered: this.#buffer.length }
    this.#failures.warn(this.#clock.now(), fields, 'Failed to write request log to journal')
  }

  #drain(): void {
    if (this.#buffer.length === 0) return
    this.#segment.lookIfDue()
    this.#buffer.drain((line) => {
      this.#segment.write(line)
      this.#countWritten()
    })
    offExit(this.#onExit)
  }

  #drainOrThrow(): void {
    try {
      this.#drain()
    } catch (error) {
      throw this.#bufferError(error)
    }
  }

  #countWritten(): void {
    this.#appended++
    if (this.#tick === null) this.#armTick()
  }

  #armTick(): void {
    if (this.#tick !== null || this.#isClosed) return
    // A retired segment is synced even with fsync 'no', because it stays open until it is.
    if (this.#options.fsync === 'no' && this.#buffer.length === 0 && !this.#segment.hasRetired) return
    this.#tick = setTimeout(() => void this.#onTick(), TICK_MS)
    this.#tick.unref()
  }

  async #onTick(): Promise<void> {
    try {
      this.#drain()
    } catch {
      // There was a warning when the event was kept. The next tick tries again.
    }
    if (this.#segment.hasRetired || (this.#options.fsync === 'everysec' && this.#segment.isDirty)) {
      // If the sync fails, the next flush rejects with its error.
      await this.#group.join().catch(() => {})
    }
    this.#tick = null
    if (this.#buffer.length > 0 || this.#segment.isDirty) this.#armTick()
  }

  #lookBeforeFlush(): void {
    const segment = this.#segment
    try {
      segment.look()
    } catch (error) {
      // If no segment is open, nothing was written that this flush could miss, and the error
      // mustn't prevent the journal from being closed.
      const hasNothingToSync = !segment.isOpen && !segment.isDirty
      // The sync rejects with a loss that is pending, and that says more than this error.
      const mayIgnore = hasNothingToSync || segment.hasPendingLoss
      if (!mayIgnore) throw this.#writeError(error)
    }
  }

  async #sync(): Promise<void> {
    const isFlush = this.#isFlushWaiting
    this.#isFlushWaiting = false
    try {
      // One look serves all callers that wait. Done in flush(), it made 64 simultaneous calls take
      // 1.75 times as long.
      if (isFlush) this.#lookBeforeFlush()
      await this.#segment.sync()
    } catch (error) {
      // Who gets the error?
      // - A flush's sync failed: its callers get the error, and nobody else needs it.
      // - A tick's sync failed: nobody gets the error, so the next flush must reject with it.
      // - A flush's sync failed, and another flush was called meanwhile: that flush waits for the
      //   next sync, but the failed one may have lost its bytes, so it must reject as well.
      if (!isFlush || this.#isFlushWaiting) this.#pendingError = error
      throw error
    }
    if (!isFlush || this.#pendingError === null) return
    const error = this.#pendingError
    this.#pendingError = null
    throw error
  }

  /** Tries to write the waiting lines once more as the process ends, and logs how many are lost. */
  #giveUp(): void {
    try {
      this.#drain()
    } catch (error) {
      const fields = { err: error, lost: this.#buffer.length }
      const text = 'Failed to write request log to journal: events lost at exit'
      quietly(() => this.#options.logger.error(fields, text))
    }
  }

  /**
   * A full disk must not stop a gateway from starting, but a directory that the gateway has no
   * permission to write to must stop it.
   */
  #openFirstSegment(): void {
    try {
      this.#segment.look()
    } catch (error) {
      const code = errorCode(error)
      const isRefused = code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
      if (isRefused || !isTransientCode(code)) throw this.#writeError(error)
      this.#failures.warn(this.#clock.now(), { err: error }, 'No segment can be opened yet')
    }
  }

  #writeError(cause: unknown): JournalWriteError {
    const { path } = this.#segment
    return new JournalWriteError('WRITE_FAILED', path, `Failed to write to ${path}: ${reasonOf(cause)}`, {
      cause,
    })
  }

  #bufferError(cause?: unknown): JournalWriteError {
    const buffered = this.#buffer.length
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    const text = `${buffered} event(s) are waiting in memory until the disk takes writes again${reason}`
    return new JournalWriteError('BUFFER_NOT_EMPTY', this.#segment.path, text, { cause, buffered })
  }
}

/** The lines that `record` couldn't write yet, in order and bounded in bytes. */
export class WriteBuffer {
  readonly #maxBytes: number
  #lines: Buffer[] = []
  #bytes = 0
  #isDraining = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** How many lines are waiting. */
  get length(): number {
    return this.#lines.length
  }

  /** Keeps the line, or returns false if it would go over the bound. */
  push(line: Buffer): boolean {
    if (this.#bytes + line.length > this.#maxBytes) return false
    this.#lines.push(line)
    this.#bytes += line.length
    return true
  }

  /** Writes the lines, oldest first. If `write` throws, its line and all after it stay. */
  drain(write: (line: Buffer) => void): void {
    // A logger that `write` calls may itself append to this journal.
    if (this.#isDraining) throw new Error('the buffer is being written')
    this.#isDraining = true
    let written = 0
    try {
      for (const line of this.#lines) {
        write(line)
        this.#bytes -= line.length
        written++
      }
    } finally {
      this.#isDraining = false
      this.#lines = this.#lines.slice(written)
    }
  }
}

/** How often, even without a call, a dirty segment is synced and waiting lines are tried again. */
const TICK_MS = 1000

/** The least time between two attempts by `prepareOrExplain` to empty the buffer. */
const RETRY_MS = 100

/** The dependencies that tests replace. */
export interface JournalPorts {
  fs: FileSystem
  clock: Clock
}

/**
 * The callbacks to run when the process ends. Being in this set also keeps their journals from
 * being garbage collected.
 */
const exitCallbacks = new Set<() => void>()

/** Any number of journals share one listener, because Node.js warns about an eleventh. */
function onExit(callback: () => void): void {
  if (exitCallbacks.size === 0) process.on('exit', callExitCallbacks)
  exitCallbacks.add(callback)
}

function offExit(callback: () => void): void {
  if (exitCallbacks.delete(callback) && exitCallbacks.size === 0) process.off('exit', callExitCallbacks)
}

function callExitCallbacks(): void {
  for (const callback of exitCallbacks) callback()
}

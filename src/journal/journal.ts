import { randomUUID } from 'node:crypto'
import { completeEvent, cutErrorMessage, type EventDefaults, unknownFields } from '../events/complete.js'
import { InvalidEventError } from '../events/errors.js'
import { encodeLine } from '../events/line.js'
import type {
  EventInput,
  JournalEvent,
  RequestLog,
  RequestLogged,
  StreamCompleted,
  StreamCompletion,
} from '../events/schema.js'
import { ActiveSegment } from './active-segment.js'
import { JournalWriteError } from './errors.js'
import { type Clock, type FileSystem, nodeFileSystem } from './files.js'
import { GroupCommit } from './group-commit.js'
import { type JournalIdentity, readOrCreateIdentity } from './identity.js'
import { type JournalOptions, type ResolvedOptions, resolveOptions } from './options.js'
import { BoundedWarnings, quietly } from './warnings.js'
import { WriteBuffer } from './write-buffer.js'

/** How often a dirty segment is synced, and a buffer tried again, without anyone asking. */
const TICK_MS = 1000

/** Between two attempts of `record` to empty the buffer. */
const RETRY_MS = 100

/** What has become of the events since the journal was opened. */
export interface JournalCounters {
  /** Written to the journal. */
  appended: number
  /** Refused, because they broke the schema. */
  invalid: number
  /** Waiting in memory for a disk that refuses. */
  buffered: number
  /** Lost: the buffer was full, or the journal closed. */
  dropped: number
}

/** The seams that tests replace. */
export interface JournalPorts {
  fs: FileSystem
  clock: Clock
}

/**
 * An open journal. Any number of processes may have the same one open. Its timers keep no process alive.
 */
export class Journal {
  /** Which journal this is, and since when. */
  readonly identity: JournalIdentity
  readonly #options: ResolvedOptions
  readonly #clock: Clock
  readonly #segment: ActiveSegment
  readonly #buffer: WriteBuffer
  readonly #failures: BoundedWarnings
  readonly #losses: BoundedWarnings
  readonly #group = new GroupCommit(() => this.#sync())
  readonly #defaults: EventDefaults = {
    correlationId: randomUUID,
    timestamp: () => new Date(this.#clock.now()).toISOString(),
  }
  readonly #onExit = (): void => this.#giveUp()
  #appended = 0
  #invalid = 0
  #dropped = 0
  #tick: NodeJS.Timeout | null = null
  #retryAt = 0
  #isClosed = false
  #closing: Promise<void> | null = null
  /** A flush waits for the sync that begins next. */
  #isFlushWaiting = false
  /** Why a sync failed, as long as a flush has still to say so. */
  #unreported: unknown = null

  /** @internal Use `openJournal`. */
  constructor(options: ResolvedOptions, { fs, clock }: JournalPorts) {
    this.#options = options
    this.#clock = clock
    const { directory, fileMode, directoryMode, logger } = options
    const modes = { file: fileMode, directory: directoryMode }
    this.identity = readOrCreateIdentity(directory, modes, clock.now(), fs)
    this.#segment = new ActiveSegment({ fs, clock, directory, fileMode, logger })
    this.#buffer = new WriteBuffer(options.bufferBytes)
    this.#failures = new BoundedWarnings(logger)
    this.#losses = new BoundedWarnings(logger)
    this.#openFirstSegment()
  }

  get counters(): JournalCounters {
    return {
      appended: this.#appended,
      invalid: this.#invalid,
      buffered: this.#buffer.length,
      dropped: this.#dropped,
    }
  }

  /**
   * Logs an event without ever throwing or waiting. An event that breaks the schema is a warning and counted; one that
   * the disk refuses is a warning and kept in memory, in order, until the disk takes it.
   *
   * @returns the event's correlation_id, made here when it has none: for the `stream_completed` to come.
   */
  record(event: EventInput): string {
    const correlationId = correlationIdOf(event)
    try {
      this.#record(event, correlationId)
    } catch (error) {
      // Nothing above should throw; if an event with a trap in it did, it is one more invalid event.
      this.#refuse(correlationId, error)
    }
    return correlationId
  }

  /**
   * Writes an event. When this returns, the event survives the death of the process; not a power cut, see `flush`.
   *
   * @returns the event as written, defaults filled.
   * @throws InvalidEventError when it breaks the schema.
   * @throws JournalWriteError when it could not be written, or events of `record` wait before it that can't be.
   */
  append(event: RequestLog): RequestLogged
  append(event: StreamCompletion): StreamCompleted
  append(event: EventInput): JournalEvent
  append(event: EventInput): JournalEvent {
    this.#assertOpen()
    const complete = this.#complete(event, this.#defaults)
    this.#drainOrThrow()
    // Looks first, since its warnings may call back into this journal, which would reuse the encoder's buffer.
    this.#guarded(() => this.#segment.lookIfDue())
    const unknown = unknownFields(event)
    const line = encodeLine(complete, unknown)
    this.#guarded(() => this.#segment.write(line))
    this.#written()
    return unknown === null ? complete : { ...complete, ...unknown }
  }

  /**
   * Resolves when everything appended so far survives a power cut. One sync serves all who wait.
   *
   * Rejects with JournalWriteError: BUFFER_NOT_EMPTY, SYNC_FAILED (once for each failed sync), SEGMENT_LOST,
   * JOURNAL_CLOSED.
   */
  async flush(): Promise<void> {
    this.#assertOpen()
    await this.#flush()
  }

  /**
   * Flushes and closes. When it rejects, with what `flush` rejects with, the journal stays open: nothing is lost, and
   * closing can be tried again.
   */
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
      await this.#flush()
    } catch (error) {
      this.#isClosed = false
      this.#armTick()
      throw error
    }
    if (this.#tick !== null) clearTimeout(this.#tick)
    this.#tick = null
    this.#segment.close()
  }

  #record(event: EventInput, correlationId: string): void {
    if (this.#isClosed) {
      this.#drop(correlationId, this.#closedError())
      return
    }
    let complete: JournalEvent
    let line: Buffer
    let refusal: unknown = null
    if (this.#buffer.length > 0) refusal = this.#retry()
    try {
      if (refusal === null) this.#segment.lookIfDue()
    } catch (error) {
      refusal = error
    }
    try {
      complete = this.#complete(event, { ...this.#defaults, correlationId: () => correlationId })
      line = encodeLine(complete, unknownFields(event))
    } catch (error) {
      if (!(error instanceof InvalidEventError)) throw error
      this.#refuse(correlationId, error)
      return
    }
    if (refusal === null) {
      try {
        this.#segment.write(line)
        this.#written()
        return
      } catch (error) {
        refusal = error
      }
    }
    this.#keep(line, correlationId, refusal)
  }

  #complete(event: EventInput, defaults: EventDefaults): JournalEvent {
    const complete = completeEvent(event, defaults)
    const { redact } = this.#options
    if (redact === null) return complete
    if (complete.error_message !== null) {
      complete.error_message = cutErrorMessage(redacted(complete.error_message, 'error_message', redact))
    }
    if ('labels' in complete && complete.labels !== undefined) {
      const labels = Object.entries(complete.labels)
      complete.labels = Object.fromEntries(
        labels.map(([name, value]) => [name, redacted(value, `labels.${name}`, redact)]),
      )
    }
    return complete
  }

  #refuse(correlationId: string, error: unknown): void {
    this.#invalid++
    this.#losses.warn(
      this.#clock.now(),
      { correlation_id: correlationId, err: error },
      'Invalid request log event',
    )
  }

  #keep(line: Buffer, correlationId: string, error: unknown): void {
    if (!this.#buffer.push(this.#segment.retain(line))) {
      this.#drop(correlationId, error)
      return
    }
    if (this.#buffer.length === 1) process.on('exit', this.#onExit)
    this.#armTick()
    const fields = { correlation_id: correlationId, err: error, buffered: this.#buffer.length }
    this.#failures.warn(this.#clock.now(), fields, 'Failed to write request log to journal')
  }

  #drop(correlationId: string, error: unknown): void {
    this.#dropped++
    const fields = { correlation_id: correlationId, err: error, dropped: this.#dropped }
    this.#losses.warn(this.#clock.now(), fields, 'Failed to write request log to journal: event lost')
  }

  /** Tries to empty the buffer, not too often. @returns why events still wait; null when none does. */
  #retry(): unknown {
    const now = this.#clock.now()
    if (now < this.#retryAt && this.#retryAt - now <= RETRY_MS) return this.#bufferError()
    this.#retryAt = now + RETRY_MS
    try {
      this.#drain()
      return null
    } catch (error) {
      return error
    }
  }

  #drain(): void {
    if (this.#buffer.length === 0) return
    this.#buffer.drain((line) => {
      this.#segment.write(line)
      this.#written()
    })
    process.off('exit', this.#onExit)
  }

  #drainOrThrow(): void {
    try {
      this.#drain()
    } catch (error) {
      throw this.#bufferError(error)
    }
  }

  #written(): void {
    this.#appended++
    if (this.#tick === null) this.#armTick()
  }

  #armTick(): void {
    if (this.#tick !== null || this.#isClosed) return
    if (this.#options.fsync === 'no' && this.#buffer.length === 0) return
    this.#tick = setTimeout(() => void this.#onTick(), TICK_MS)
    this.#tick.unref()
  }

  async #onTick(): Promise<void> {
    try {
      this.#drain()
    } catch {
      // Warned about when the event was kept; it is tried again at the next tick.
    }
    if (this.#options.fsync === 'everysec' && this.#segment.isDirty) {
      // What it rejects with, the next flush says.
      await this.#group.join().catch(() => {})
    }
    this.#tick = null
    if (this.#buffer.length > 0 || this.#segment.isDirty) this.#armTick()
  }

  async #flush(): Promise<void> {
    this.#drainOrThrow()
    this.#guarded(() => this.#segment.look())
    this.#isFlushWaiting = true
    await this.#group.join()
  }

  async #sync(): Promise<void> {
    const isFlush = this.#isFlushWaiting
    this.#isFlushWaiting = false
    try {
      await this.#segment.sync()
    } catch (error) {
      // A flush that was called meanwhile may be for bytes that this sync has lost, and waits for the next one.
      if (!isFlush || this.#isFlushWaiting) this.#unreported = error
      throw error
    }
    if (!isFlush || this.#unreported === null) return
    const error = this.#unreported
    this.#unreported = null
    throw error
  }

  /** The process ends with events in memory: one last try, then say what is lost. */
  #giveUp(): void {
    try {
      this.#drain()
    } catch (error) {
      const fields = { err: error, lost: this.#buffer.length }
      const text = 'Failed to write request log to journal: events lost at exit'
      quietly(() => this.#options.logger.error(fields, text))
    }
  }

  /** A full disk at start must not keep a gateway from starting; a directory that can't be written must be said. */
  #openFirstSegment(): void {
    try {
      this.#segment.look()
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? ''
      if (!['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE'].includes(code)) throw this.#writeError(error)
      this.#failures.warn(this.#clock.now(), { err: error }, 'No segment can be opened yet')
    }
  }

  #guarded(act: () => void): void {
    try {
      act()
    } catch (error) {
      throw this.#writeError(error)
    }
  }

  #writeError(cause: unknown): JournalWriteError {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const { path } = this.#segment
    return new JournalWriteError('WRITE_FAILED', `Failed to write to ${path}: ${reason}`, { path, cause })
  }

  #bufferError(cause?: unknown): JournalWriteError {
    const buffered = this.#buffer.length
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    const text = `${buffered} event(s) wait in memory for the disk to take writes again${reason}`
    return new JournalWriteError('BUFFER_NOT_EMPTY', text, { path: this.#segment.path, cause, buffered })
  }

  #closedError(): JournalWriteError {
    const { directory } = this.#options
    return new JournalWriteError('JOURNAL_CLOSED', `The journal ${directory} is closed`, { path: directory })
  }

  #assertOpen(): void {
    if (this.#isClosed) throw this.#closedError()
  }
}

/**
 * Opens a journal for appending, creating directory and journal.json when they are missing.
 *
 * @throws TypeError for an unknown option or a value out of range.
 * @throws JournalError when the directory can't be used, or holds a damaged journal.
 * @throws JournalWriteError when no segment can be opened for writing.
 */
export function openJournal(options: JournalOptions = {}): Journal {
  return openJournalWith(options, { fs: nodeFileSystem, clock: Date })
}

/** @internal The same with another file system and clock. */
export function openJournalWith(options: JournalOptions, ports: JournalPorts): Journal {
  return new Journal(resolveOptions(options), ports)
}

function correlationIdOf(event: EventInput): string {
  try {
    const given: unknown = event.correlation_id
    if (typeof given === 'string') return given.toWellFormed()
  } catch {
    // No object, or one with a trap: the event is refused below, under a new id.
  }
  return randomUUID()
}

/** A redact function that fails must not let a secret through. */
function redacted(text: string, field: string, redact: (text: string, field: string) => string): string {
  try {
    const result: unknown = redact(text, field)
    // A NUL in a label would make readers reject the line.
    const isUsable = typeof result === 'string' && (field === 'error_message' || !result.includes('\0'))
    if (isUsable) return result.toWellFormed()
  } catch {
    // Falls through to the replacement.
  }
  return '[redacted: the redact function failed]'
}

import { randomUUID } from 'node:crypto'
import { describeThrown } from '../../events/describe-value.js'
import { InvalidEventError } from '../../events/errors.js'
import type {
  EventInput,
  ExchangeRateObserved,
  JournalEvent,
  PriceInput,
  PriceSet,
  RateInput,
  RequestLog,
  RequestLogged,
  StreamCompleted,
  StreamCompletion,
} from '../../events/event-types.js'
import { encodeLine } from '../../events/line.js'
import { type NormalizeHooks, normalizeEvent, unknownFields } from '../../events/normalize-event.js'
import { maskSecrets, type Redact } from '../../events/redact.js'
import { cutErrorMessage, safeIdentifier } from '../../events/value-kinds.js'
import { JournalWriteError } from '../errors.js'
import { type Clock, nodeFileSystem } from '../file-system.js'
import { type JournalIdentity, readOrCreateIdentity, sharedMode } from '../journal-identity.js'
import { type Attempt, type AttemptPort, type AttemptStart, OpenAttempt } from './attempt-handle.js'
import { type JournalPorts, LineWriter } from './line-writer.js'
import { type JournalOptions, type ResolvedOptions, resolveOptions } from './options.js'
import { BoundedWarnings, OneTimeWarnings } from './warnings.js'

/** How many events have been written, refused, kept or lost since the journal was opened. */
export interface JournalCounters {
  /** Events written to the journal. */
  appended: number
  /** Events passed to `record` that were refused because they break the schema. */
  invalid: number
  /** Events passed to `record` that wait in memory because the disk refuses writes. */
  buffered: number
  /**
   * Events that were lost because the buffer was full or the journal was closed, and events that
   * may have been lost because their segment was moved, removed, replaced or hidden by a mount
   * before a flush.
   */
  dropped: number
  /**
   * Attempts started by `begin` whose handle was garbage collected before `complete` or `fail` was
   * called.
   */
  abandoned: number
  /** Responses, seen by this package's fetch or proxy, that reported no token counts. */
  usage_missing: number
}

/** @internal An event as it will be in the journal, and its line. */
export interface EncodedEvent {
  event: JournalEvent
  line: Buffer
  /** The names of its members that this version doesn't know. */
  unknown: readonly string[]
}

/**
 * An open journal, to which events are appended. Any number of processes may append to the same
 * journal. An open journal doesn't keep its process alive.
 */
export class Journal {
  /** The journal's id and when it was created. */
  readonly identity: JournalIdentity
  readonly #options: ResolvedOptions
  readonly #clock: Clock
  readonly #writer: LineWriter
  readonly #refusals: BoundedWarnings
  readonly #members: OneTimeWarnings
  readonly #hooks: Required<NormalizeHooks> = {
    correlationId: randomUUID,
    timestamp: () => new Date(this.#clock.now()).toISOString(),
    costDropped: (member) => this.#members.warn(member, 'Cost that is not finite: written as null'),
    redact: (text) => {
      const { redact } = this.#options
      return redact === null ? maskSecrets(text) : redacted(text, 'error_message', redact)
    },
  }
  readonly #attempts: AttemptPort = {
    record: (event) => void this.record(event),
    ignored: (correlationId, message) => this.#warnOfAttempt(correlationId, message),
    abandoned: (correlationId, message) => {
      this.#abandoned++
      this.#warnOfAttempt(correlationId, message)
    },
  }
  readonly #misuses: BoundedWarnings
  readonly #hints: OneTimeWarnings
  #invalid = 0
  #abandoned = 0
  #usageMissing = 0

  /** @internal Use `openJournal`. */
  constructor(options: ResolvedOptions, ports: JournalPorts) {
    this.#options = options
    this.#clock = ports.clock
    const { directory, fileMode, directoryMode, isModeGiven, logger } = options
    const modes = { file: fileMode, directory: directoryMode }
    this.identity = readOrCreateIdentity(directory, modes, ports.clock.now(), ports.fs)
    const mode = isModeGiven ? fileMode : sharedMode(directory, ports.fs)
    this.#writer = new LineWriter({ ...options, fileMode: mode }, this.identity.journal_id, ports)
    this.#refusals = new BoundedWarnings(logger)
    this.#members = new OneTimeWarnings(logger)
    this.#misuses = new BoundedWarnings(logger)
    this.#hints = new OneTimeWarnings(logger)
  }

  /** A copy of the counters as they are now. */
  get counters(): JournalCounters {
    return {
      ...this.#writer.counters,
      invalid: this.#invalid,
      abandoned: this.#abandoned,
      usage_missing: this.#usageMissing,
    }
  }

  /**
   * Logs an event without ever throwing or waiting for the disk. An event that breaks the schema
   * isn't written: a warning is logged, and the event counts as `invalid`. If the disk refuses an
   * event, a warning is logged, and the event is kept in memory, in order, until the disk takes it;
   * `bufferBytes` bounds that memory.
   *
   * @returns the event's correlation_id, by which a later `stream_completed` finds it. It's a new
   *   UUID if the event has none. A price or a rate, which the types don't allow but plain
   *   JavaScript can pass, is written too, and '' is returned.
   */
  record(event: RequestLog | StreamCompletion): string {
    const correlationId = correlationIdOf(event)
    try {
      this.#record(event, correlationId)
    } catch (error) {
      // An InvalidEventError, or whatever an event's own getters throw.
      this.#invalid++
      const fields = { correlation_id: correlationId, err: error }
      this.#refusals.warn(this.#clock.now(), fields, 'Invalid request log event')
    }
    return correlationId
  }

  /**
   * Begins an attempt whose request has just been sent. The handle measures time and writes the
   * events through `record`, so it never throws and never waits either. A handle that is garbage
   * collected before `complete` or `fail` was called is counted as `abandoned`, with a warning.
   *
   * As with `record`, each event's timestamp is the time at which it is written. If `timestamp` is
   * given, `request_logged` gets that one instead.
   */
  begin(attempt: AttemptStart): Attempt {
    return new OpenAttempt(this.#attempts, attempt, correlationIdOf(attempt as EventInput))
  }

  /**
   * @internal Counts a response that reported no token counts, and warns once for each `source`,
   *   the API that it came from, saying how the client can get them.
   */
  usageMissing(source: string, hint: string): void {
    this.#usageMissing++
    this.#hints.warn(source, hint)
  }

  /**
   * Writes an event. Once this returns, the event survives the death of the process, but not yet a
   * power cut: see `flush`.
   *
   * @returns the event as written, with every default filled.
   * @throws InvalidEventError if it breaks the schema. Nothing was written.
   * @throws JournalWriteError WRITE_FAILED if the disk refused it; BUFFER_NOT_EMPTY if events
   *   passed to `record` earlier still wait in memory and the disk refuses them again;
   *   JOURNAL_CLOSED.
   */
  append(event: RequestLog): RequestLogged
  append(event: StreamCompletion): StreamCompleted
  append(event: PriceInput): PriceSet
  append(event: RateInput): ExchangeRateObserved
  append(event: EventInput): JournalEvent
  append(event: EventInput): JournalEvent {
    if (this.#writer.isClosed) throw this.#closedError()
    const [normalized, unknown] = this.#normalize(event, this.#hooks)
    this.#writer.prepare()
    this.#writer.write(encodeLine(normalized, unknown))
    if (unknown === null) return normalized
    this.#warnOfUnknown(unknown)
    return { ...normalized, ...unknown }
  }

  /**
   * Checks an event and encodes its line, for a caller that must know that every one of several
   * events can be written before it writes the first.
   *
   * @internal
   * @param extra members that follow the event's own; readers ignore them.
   * @throws InvalidEventError if it breaks the schema.
   */
  encode(event: EventInput, extra: Record<string, unknown> | null): EncodedEvent {
    const [normalized, unknown] = this.#normalize(event, this.#hooks)
    const members = extra === null ? unknown : { ...unknown, ...extra }
    // Copied, since the next line is encoded into the same buffer.
    const line = Buffer.from(encodeLine(normalized, members))
    if (unknown !== null) this.#warnOfUnknown(unknown)
    return { event: normalized, line, unknown: Object.keys(unknown ?? {}) }
  }

  /**
   * Writes the line of an encoded event, as `append` does.
   *
   * @internal
   * @throws JournalWriteError, like `append`.
   */
  write(line: Buffer): void {
    if (this.#writer.isClosed) throw this.#closedError()
    this.#writer.prepare()
    this.#writer.write(line)
  }

  /**
   * Resolves once everything appended so far survives a power cut. One sync serves all callers that
   * wait.
   *
   * @throws JournalWriteError, as a rejection: BUFFER_NOT_EMPTY; WRITE_FAILED if no segment can be
   *   opened; SYNC_FAILED or SEGMENT_LOST, once for all such faults since the last flush;
   *   SYNC_INCOMPLETE, after which the caller should flush again; JOURNAL_CLOSED.
   */
  flush(): Promise<void> {
    if (this.#writer.isClosed) return Promise.reject(this.#closedError())
    // As an async function, this took 7 µs more for each of 64 callers that waited for one sync.
    return this.#writer.flush()
  }

  /**
   * Flushes and closes the journal. A second call does nothing.
   *
   * @throws JournalWriteError, as a rejection, like `flush`. The journal then stays open, and
   *   closing can be tried again.
   */
  close(): Promise<void> {
    return this.#writer.close()
  }

  #record(event: EventInput, correlationId: string): void {
    if (this.#writer.isClosed) {
      this.#writer.drop(correlationId, this.#closedError())
      return
    }
    const { timestamp, costDropped, redact } = this.#hooks
    const hooks = { timestamp, costDropped, redact, correlationId: () => correlationId }
    const [normalized, unknown] = this.#normalize(event, hooks)
    const refusal = this.#writer.prepareOrExplain()
    this.#writer.writeOrKeep(encodeLine(normalized, unknown), correlationId, refusal)
    if (unknown !== null) this.#warnOfUnknown(unknown)
  }

  /** Called after the line is written, because the logger may itself append to this journal. */
  #warnOfUnknown(unknown: Record<string, unknown>): void {
    for (const member in unknown) {
      this.#members.warn(
        member,
        'Unknown member of a request log event: written as it is, and ignored by readers',
      )
    }
  }

  /**
   * Returns the event as it will be in the journal, and its unknown members.
   *
   * @throws InvalidEventError if it breaks the schema or its members can't be read.
   */
  #normalize(event: EventInput, hooks: NormalizeHooks): [JournalEvent, Record<string, unknown> | null] {
    try {
      const normalized = this.#normalizeAndRedact(event, hooks)
      return [normalized, unknownFields(event, normalized.type)]
    } catch (error) {
      if (error instanceof InvalidEventError) throw error
      const found = `members that can't be read (${describeThrown(error, this.#hooks.redact)})`
      throw new InvalidEventError([{ field: 'event', found, expected: 'plain values' }])
    }
  }

  #normalizeAndRedact(event: EventInput, hooks: NormalizeHooks): JournalEvent {
    const normalized = normalizeEvent(event, hooks)
    const { redact } = this.#options
    if (redact === null) return normalized
    switch (normalized.type) {
      case 'request_logged':
        redactMessage(normalized, redact)
        if (normalized.labels !== undefined) normalized.labels = redactedLabels(normalized.labels, redact)
        break
      case 'stream_completed':
        redactMessage(normalized, redact)
        break
      case 'price_set':
      case 'exchange_rate_observed':
        if (normalized.source !== null) normalized.source = redacted(normalized.source, 'source', redact)
        break
      default:
        normalized satisfies never
    }
    return normalized
  }

  #warnOfAttempt(correlationId: string, message: string): void {
    this.#misuses.warn(this.#clock.now(), { correlation_id: correlationId }, message)
  }

  #closedError(): JournalWriteError {
    const { directory } = this.#options
    return new JournalWriteError('JOURNAL_CLOSED', directory, `The journal ${directory} is closed`)
  }
}

/**
 * Opens a journal for appending. It creates the directory and its journal.json if they don't exist.
 *
 * @throws TypeError for an unknown option or a value out of range.
 * @throws JournalError JOURNAL_UNWRITABLE if the journal can't be created; JOURNAL_INVALID if
 *   journal.json can't be used, or is gone from a directory with segments; SEGMENT_UNREADABLE if
 *   the directory can't be listed.
 * @throws JournalWriteError WRITE_FAILED if no segment can be opened, unless the reason may be
 *   temporary: with a full disk, for example, the journal opens, and `record` keeps events in
 *   memory.
 */
export function openJournal(options: JournalOptions = {}): Journal {
  return openJournalWith(options, { fs: nodeFileSystem, clock: Date })
}

/** @internal Opens a journal with another file system and clock. */
export function openJournalWith(options: JournalOptions, ports: JournalPorts): Journal {
  return new Journal(resolveOptions(options), ports)
}

function correlationIdOf(event: EventInput): string {
  try {
    switch (event.type) {
      case 'price_set':
      case 'exchange_rate_observed':
        return ''
      case 'request_logged':
      case 'stream_completed':
      case undefined:
        break
      default:
        event satisfies never
    }
    const given: unknown = event.correlation_id
    if (typeof given === 'string') return safeIdentifier(given)
  } catch {
    // It isn't an object, or a getter threw. The event will be refused, under a new id.
  }
  return randomUUID()
}

function redactMessage(event: RequestLogged | StreamCompleted, redact: Redact): void {
  if (event.error_message === null) return
  event.error_message = cutErrorMessage(redacted(event.error_message, 'error_message', redact))
}

function redactedLabels(labels: Record<string, string>, redact: Redact): Record<string, string> {
  const entries = Object.entries(labels)
  return Object.fromEntries(entries.map(([name, value]) => [name, redacted(value, `labels.${name}`, redact)]))
}

/** The text that `redact` returns. If the function fails, no part of the text is written. */
function redacted(text: string, field: string, redact: Redact): string {
  try {
    const result: unknown = redact(text, field)
    if (typeof result === 'string') {
      if (field === 'error_message') return result.toWellFormed()
      // A NUL in a label or a source would make readers reject the line.
      if (!result.includes('\0')) return safeIdentifier(result)
    }
  } catch {
    // Falls through to the replacement.
  }
  return '[redacted: the redact function failed]'
}

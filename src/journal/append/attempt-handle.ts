import type { RequestLog, StreamCompletion } from '../../events/event-types.js'

/** What `journal.begin()` takes: what is known about an attempt when its request is sent. */
export type AttemptStart = Pick<
  RequestLog,
  | 'model'
  | 'provider'
  | 'policy'
  | 'correlation_id'
  | 'attempt'
  | 'labels'
  | 'service_tier'
  | 'streaming'
  | 'timestamp'
>

type Outcome = Omit<
  StreamCompletion,
  'type' | 'correlation_id' | 'attempt' | 'timestamp' | 'stream_duration_ms' | 'success'
>

/** How an attempt ended: tokens and costs as far as they are known. What is left out is unknown. */
export type AttemptOutcome = Partial<Omit<Outcome, 'error_status' | 'error_message'>>

/** How an attempt failed. A stream that was cut off may already have reported tokens. */
export type AttemptFailure = Partial<Outcome>

/**
 * One attempt at one request, from the moment the request was sent. It measures time and writes the
 * events. Each method does its work once; a later call only logs a warning. None of them throws or
 * waits.
 */
export interface Attempt {
  /**
   * Ties together everything that is logged about one request: pass it to `begin` for the next
   * attempt.
   */
  readonly correlation_id: string
  /**
   * Says that a stream has begun. Writes `request_logged` with the time to its first byte, so that
   * the stream can be seen while it runs. Don't call it for a response that comes as a whole.
   */
  firstByte(): void
  /**
   * Says that the attempt succeeded. Writes `request_logged`, or `stream_completed` after
   * `firstByte`.
   */
  complete(outcome?: AttemptOutcome): void
  /**
   * Says that the attempt failed. Writes `request_logged`, or `stream_completed` after `firstByte`.
   */
  fail(outcome?: AttemptFailure): void
}

/** What a handle needs from its journal. */
export interface AttemptPort {
  record(event: RequestLog | StreamCompletion): void
  /** Warns, at a bounded rate, about a call that is ignored because it came too late. */
  ignored(correlationId: string, message: string): void
  /** Counts a handle that was garbage collected before its attempt ended, and warns about it. */
  abandoned(correlationId: string, message: string): void
}

interface Held {
  port: AttemptPort
  correlationId: string
  /** Shared with the handle, which no longer exists when this is read. */
  progress: { hasStreamBegun: boolean }
}

/**
 * Finds handles that were garbage collected before their attempts ended. It holds references to
 * their journals, not to the handles.
 */
const abandoned = new FinalizationRegistry<Held>(({ port, correlationId, progress }) => {
  const state = progress.hasStreamBegun ? 'Its stream has no end in the journal' : 'It was not logged'
  port.abandoned(
    correlationId,
    `An attempt was abandoned: neither complete() nor fail() was called. ${state}`,
  )
})

/**
 * The handle that `journal.begin()` returns for one call to a provider.
 *
 * Times are monotonic, in milliseconds. A `start` or an outcome that breaks the schema, or whose
 * getters throw, is passed to `record` unchanged, and `record` refuses it like any other invalid
 * event.
 */
export class OpenAttempt implements Attempt {
  readonly correlation_id: string
  readonly #port: AttemptPort
  readonly #start: Partial<AttemptStart>
  /** A `start` that can't be read, which `record` refuses with the reason. */
  readonly #unreadable: AttemptStart | null = null
  readonly #startedAt = performance.now()
  readonly #progress = { hasStreamBegun: false }
  #firstByteAt = 0
  #ending: 'complete' | 'fail' | null = null

  constructor(port: AttemptPort, start: AttemptStart, correlationId: string) {
    this.#port = port
    this.correlation_id = correlationId
    try {
      // The caller may change or reuse the object.
      this.#start = { ...start }
    } catch {
      this.#start = {}
      this.#unreadable = start
    }
    abandoned.register(this, { port, correlationId, progress: this.#progress }, this)
  }

  firstByte(): void {
    if (this.#isTooLate('firstByte')) return
    this.#beginStream()
  }

  complete(outcome: AttemptOutcome = {}): void {
    if (this.#isTooLate('complete')) return
    // A stream without a first byte needs both events too: without `stream_completed`, its row
    // would look open for an hour.
    if (!this.#progress.hasStreamBegun && this.#start.streaming === true) this.#beginStream()
    this.#end('complete', outcome)
  }

  fail(outcome: AttemptFailure = {}): void {
    if (this.#isTooLate('fail')) return
    this.#end('fail', outcome)
  }

  /** Returns whether the call comes too late, and warns if it does. */
  #isTooLate(method: 'firstByte' | 'complete' | 'fail'): boolean {
    const earlier =
      this.#ending ?? (method === 'firstByte' && this.#progress.hasStreamBegun ? 'firstByte' : null)
    if (earlier === null) return false
    this.#port.ignored(
      this.correlation_id,
      `${method}() was called after ${earlier}() on the same attempt: ignored`,
    )
    return true
  }

  #beginStream(): void {
    this.#progress.hasStreamBegun = true
    this.#firstByteAt = performance.now()
    const latency_ms = this.#firstByteAt - this.#startedAt
    this.#record(this.#start, { type: 'request_logged', streaming: true, latency_ms, success: true })
  }

  #end(ending: 'complete' | 'fail', outcome: AttemptFailure): void {
    this.#ending = ending
    abandoned.unregister(this)
    const now = performance.now()
    const success = ending === 'complete'
    if (!this.#progress.hasStreamBegun) {
      const latency_ms = now - this.#startedAt
      this.#record(this.#start, outcome, { type: 'request_logged', latency_ms, success })
      return
    }
    const { attempt, service_tier } = this.#start
    const stream_duration_ms = now - this.#firstByteAt
    // The tier is repeated, because a completion without one would overwrite it with null.
    const type = 'stream_completed'
    this.#record({ service_tier }, outcome, { type, attempt, stream_duration_ms, success })
  }

  /**
   * Records an event made of these parts. Later parts win, except for members that they leave
   * undefined.
   */
  #record(...parts: object[]): void {
    if (this.#unreadable !== null) {
      this.#port.record(this.#unreadable as RequestLog)
      return
    }
    const event: Record<string, unknown> = {}
    for (const part of parts) {
      try {
        if (typeof part !== 'object') throw new TypeError('not an object')
        for (const [name, value] of Object.entries(part)) if (value !== undefined) event[name] = value
      } catch {
        // Passed to `record`, which meets the same fault and reports it.
        this.#port.record(part as RequestLog)
        return
      }
    }
    // An id from the caller is passed on unchanged, so that an invalid one is refused.
    const { correlation_id = this.correlation_id } = this.#start
    this.#port.record({ ...event, correlation_id } as unknown as RequestLog)
  }
}

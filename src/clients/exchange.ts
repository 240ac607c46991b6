import type { Attempt, AttemptFailure } from '../journal/append/attempt-handle.js'
import type { Journal } from '../journal/append/journal.js'
import type { RequestDescription } from './describe-request.js'
import { usageHint } from './include-usage.js'
import { type AnswerObserver, observeAnswer } from './usage/answer-observer.js'
import type { Observation } from './usage/observation.js'

/** The members of a journal that an exchange uses. */
export type ExchangeJournal = Pick<Journal, 'begin' | 'usageMissing'>

/**
 * @throws TypeError if `given` isn't a journal; it names `caller`, the function that was called.
 */
export function checkJournal(given: ExchangeJournal, caller: string): void {
  const journal = given as Partial<ExchangeJournal> | null | undefined
  if (typeof journal?.begin === 'function' && typeof journal.usageMissing === 'function') return
  throw new TypeError(`${caller} takes a journal, as openJournal() returns it, before its options`)
}

/** What is known about an exchange besides what its request says. */
export interface ExchangeOptions {
  /** The path of the request's URL, by which the API is recognized. */
  path: string
  provider: string | null
  /** @default null */
  policy?: string | null | undefined
  /** @default none */
  labels?: Record<string, string | undefined> | undefined
  /** Ties attempts of one request together. @default the request's own id, or a new one */
  correlationId?: string | undefined
  /** The label that gets the provider's id of the answer. @default none: the id isn't logged */
  responseIdLabel?: string | undefined
  /** Part of a hint: what else makes streams report tokens if the client doesn't ask for them. */
  usageAlternative: string
}

/**
 * Why an exchange ended before its answer did. `timeout`: a time limit ran out. `aborted`: the
 * client gave up. `broken`: no answer came, or it broke off.
 */
export interface Interruption {
  kind: 'timeout' | 'aborted' | 'broken'
  /** What was thrown. The row's error_message quotes it, without secrets. */
  error?: unknown
}

const SPACE = 0x20

/** The content-type with which a body counts as unreadable. */
const OPAQUE_TYPE = 'application/octet-stream'

/** The model that is logged if the request's can't be read, as when its body is a stream. */
export const UNKNOWN_MODEL = 'unknown'

/**
 * One attempt on the wire: connects a request, the handle of its attempt in the journal, and the
 * observer of its answer. Its callers pass requests and answers on themselves, and report to it
 * what passes. No method throws, even if the journal or the observer does: logging never disturbs
 * the client's call.
 */
export class Exchange {
  readonly #journal: ExchangeJournal
  readonly #options: ExchangeOptions
  readonly #request: RequestDescription
  /**
   * The attempt's handle reads this object when it writes an event, so an id can still be added.
   */
  readonly #labels: Record<string, string | undefined> | undefined
  readonly #attempt: Attempt | null
  #observer: AnswerObserver | null = null
  #status: number | null = null
  #isStream = false
  /** Whether the answer's format shows where it ends, so that a missing end is noticed. */
  #hasVisibleEnd = false
  #hasFirstByte = false
  /** Whether more than white space has come: some providers send that while the client waits. */
  #hasContent = false
  /** Whether the exchange has ended, after which everything reported to it is ignored. */
  #isOver = false

  /** Begins the exchange of a request that is being sent. */
  constructor(journal: ExchangeJournal, request: RequestDescription, options: ExchangeOptions) {
    this.#journal = journal
    this.#options = options
    this.#request = request
    const { labels, responseIdLabel } = options
    this.#labels = labels === undefined && responseIdLabel === undefined ? undefined : { ...labels }
    this.#attempt = quietly(() =>
      journal.begin({
        model: request.model ?? UNKNOWN_MODEL,
        provider: options.provider,
        policy: options.policy,
        correlation_id: options.correlationId ?? request.correlationId ?? undefined,
        attempt: request.attempt,
        labels: this.#labels,
        service_tier: request.service_tier,
        streaming: request.isStreamAsked,
      }),
    )
  }

  /**
   * The id that this attempt shares with others of the same request; null if the journal failed.
   */
  get correlationId(): string | null {
    return quietly(() => this.#attempt?.correlation_id ?? null)
  }

  /**
   * To be called when the head of the answer has come.
   *
   * @param isBodyReadable false if the body won't be passed to `chunk`, or not in a form that can
   *   be read. Then it doesn't count as a failure if its end is missing.
   */
  answered(status: number, header: (name: string) => string | null, isBodyReadable = true): void {
    if (this.#isOver) return
    this.#status = status
    const { path } = this.#options
    const { isStreamAsked } = this.#request
    quietly(() => {
      const type = isBodyReadable && status !== 204 ? (header('content-type') ?? '') : OPAQUE_TYPE
      this.#isStream = isOk(status) && (isStreamAsked || type.startsWith('text/event-stream'))
      this.#hasVisibleEnd = /event-stream|json/.test(type)
      this.#observer = observeAnswer({
        path,
        status,
        header: (name) => (name === 'content-type' ? type : header(name)),
        isStreamAsked,
      })
    })
  }

  /** To be called with the bytes of the body before they are passed on. They are only read. */
  chunk(bytes: Uint8Array): void {
    if (this.#isOver || bytes.length === 0) return
    quietly(() => this.#observer?.push(bytes))
    this.#hasContent ||= bytes.some((byte) => byte > SPACE)
    if (!this.#isStream || this.#hasFirstByte) return
    this.#hasFirstByte = true
    // The first event of a stream has the answer's id.
    this.#labelWithId(quietly(() => this.#observer?.end() ?? null))
    quietly(() => this.#attempt?.firstByte())
  }

  /** To be called when the body has ended without an error of the connection. */
  ended(): void {
    this.#finish(null)
  }

  /** To be called when the exchange ends before the body has. */
  failed(interruption: Interruption): void {
    this.#finish(interruption)
  }

  #finish(interruption: Interruption | null): void {
    if (this.#isOver) return
    this.#isOver = true
    const observation = quietly(() => this.#observer?.end() ?? null)
    this.#observer = null
    const failure = this.#failure(interruption, observation)
    const outcome: AttemptFailure = {
      ...observation?.usage,
      response_model: observation?.response_model,
      // If the answer names no tier, the one that was asked for stays.
      service_tier: observation?.service_tier ?? undefined,
    }
    this.#labelWithId(observation)
    quietly(() => {
      if (failure === null) this.#attempt?.complete(outcome)
      else this.#attempt?.fail({ ...outcome, ...failure })
    })
    if (failure === null && observation?.usage == null) {
      const { path, usageAlternative } = this.#options
      const { source, hint } = usageHint(path, this.#isStream, usageAlternative)
      quietly(() => this.#journal.usageMissing(source, hint))
    }
  }

  #labelWithId(observation: Observation | null): void {
    const { responseIdLabel } = this.#options
    const id = observation?.response_id ?? null
    if (this.#labels !== undefined && responseIdLabel !== undefined && id !== null) {
      this.#labels[responseIdLabel] = id
    }
  }

  /** Describes what went wrong; null if nothing did. */
  #failure(interruption: Interruption | null, observation: Observation | null): AttemptFailure | null {
    const seen = observation?.outcome ?? null
    if (seen?.kind === 'error') {
      return { error_status: seen.status ?? this.#errorStatus, error_message: seen.message }
    }
    if (this.#errorStatus !== null) {
      return { error_status: this.#errorStatus, error_message: `HTTP ${this.#errorStatus}` }
    }
    if (this.#status === null) {
      return { error_message: beforeTheAnswer(interruption ?? { kind: 'broken' }) }
    }
    // A client may leave once it has what it wants. But if the connection breaks after the last
    // text, the usage may still be missing, so the end counts only if the usage has come.
    const mayStop = interruption === null || interruption.kind === 'aborted' || observation?.usage != null
    const isEndSeen = this.#hasVisibleEnd && this.#hasContent && mayStop && seen?.kind === 'complete'
    const mayBeWhole = !this.#hasVisibleEnd || seen === null || seen.kind === 'unknown'
    if (isEndSeen || (interruption === null && mayBeWhole)) return null
    return { error_message: inTheAnswer(interruption, this.#isStream) }
  }

  get #errorStatus(): number | null {
    return this.#status === null || isOk(this.#status) ? null : this.#status
  }
}

function isOk(status: number): boolean {
  return status >= 200 && status < 300
}

function beforeTheAnswer({ kind, error }: Interruption): string {
  const reason = reasonOf(error)
  switch (kind) {
    case 'aborted':
      return `aborted by the client before the answer began${reason}`
    case 'timeout':
      return `timed out before the answer began${reason}`
    case 'broken':
      return `network error: no answer${reason}`
  }
}

function inTheAnswer(interruption: Interruption | null, isStream: boolean): string {
  const incomplete = isStream ? 'stream_incomplete' : 'answer incomplete'
  if (interruption === null) return `${incomplete}: it ended before its last part`
  const reason = reasonOf(interruption.error)
  switch (interruption.kind) {
    case 'aborted':
      return `aborted by the client${reason}`
    case 'timeout':
      return `${incomplete}: timed out${reason}`
    case 'broken':
      return `${incomplete}: it broke off${reason}`
  }
}

/** Puts an error and its causes into words: `: what happened (CODE)`. Empty without an error. */
function reasonOf(error: unknown): string {
  if (error === undefined || error === null) return ''
  const parts = quietly(() => [...reasons(error)]) ?? []
  return parts.length === 0 ? '' : `: ${[...new Set(parts)].join(': ')}`
}

function* reasons(error: unknown, depth = 0): Generator<string> {
  if (typeof error === 'string') yield error
  if (!(error instanceof Error) || depth > 3) return
  const { code } = error as { code?: unknown }
  // undici's "fetch failed" says nothing that its cause doesn't.
  if (error.cause === undefined || error.message !== 'fetch failed') {
    yield typeof code === 'string' && !error.message.includes(code)
      ? `${error.message} (${code})`.trim()
      : error.message
  }
  yield* reasons(error.cause, depth + 1)
}

/** Returns the result of `act`, or null if it throws, since logging never fails a request. */
export function quietly<Result>(act: () => Result): Result | null {
  try {
    return act()
  } catch {
    return null
  }
}

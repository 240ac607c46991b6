import type { Attempt, AttemptFailure } from '../journal/append/attempt-handle.js'
import type { Journal } from '../journal/append/journal.js'
import type { RequestDescription } from './request.js'
import { observeAnswer } from './usage/answer-observer.js'
import type { AnswerObserver, Observation } from './usage/observation.js'
import { usageHint } from './usage-hint.js'

/** What an exchange writes to: a journal, of which it uses these members only. */
export type ExchangeJournal = Pick<Journal, 'begin' | 'usageMissing'>

/** @throws TypeError, naming the function that was called, if that isn't a journal. */
export function checkJournal(given: ExchangeJournal, caller: string): void {
  const journal = given as Partial<ExchangeJournal> | null | undefined
  if (typeof journal?.begin === 'function' && typeof journal.usageMissing === 'function') return
  throw new TypeError(`${caller} takes a journal, as openJournal() returns it, before its options`)
}

/** What is known of an exchange beside what its request says. */
export interface ExchangeOptions {
  /** The path of the request's URL, which tells the API. */
  path: string
  provider: string | null
  /** @default null */
  policy?: string | null | undefined
  /** @default none */
  labels?: Record<string, string | undefined> | undefined
  /** Joins attempts of one request. @default what the request says, or a new one */
  correlationId?: string | undefined
  /** The label that takes the answer's own id. @default none: the id isn't logged */
  responseIdLabel?: string | undefined
  /** What asks for the tokens of a stream in the client's place, for people. @default nothing does */
  usageBy?: string | undefined
}

/**
 * Why an exchange ended before its answer did. `network`: no answer came. `timeout`: somebody's
 * time was over. `aborted`: the client didn't want it any more. `broken`: the answer broke off.
 */
export interface Interruption {
  kind: 'network' | 'timeout' | 'aborted' | 'broken'
  /** Told in the row's error_message, without secrets. */
  error?: unknown
}

const SPACE = 0x20

/** A body that nothing is known of. */
const OPAQUE_TYPE = 'application/octet-stream'

/** The model of a request that doesn't tell it, such as one whose body is a stream. */
export const UNKNOWN_MODEL = 'unknown'

/**
 * One attempt on the wire: joins a request, the handle of its attempt, and the observer of its
 * answer. It's told what passes by, and passes nothing on itself. No method throws, whatever the
 * journal or the observer do: the client's call goes on as if it weren't logged.
 */
export class Exchange {
  readonly #journal: ExchangeJournal
  readonly #options: ExchangeOptions
  readonly #request: RequestDescription
  /** The handle reads them when it writes, so that the answer's id can still be added. */
  readonly #labels: Record<string, string | undefined> | undefined
  readonly #attempt: Attempt | null
  #observer: AnswerObserver | null = null
  #status: number | null = null
  #isStream = false
  /** Whether the form of the answer has an end that can be seen. */
  #tellsItsEnd = false
  #hasFirstByte = false
  /** Whether anything but white space has come: some providers send that while one waits. */
  #hasContent = false
  #isOver = false

  private constructor(journal: ExchangeJournal, request: RequestDescription, options: ExchangeOptions) {
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

  /** Begins one whose request is being sent. */
  static begin(journal: ExchangeJournal, request: RequestDescription, options: ExchangeOptions): Exchange {
    return new Exchange(journal, request, options)
  }

  /** Joins this attempt with others of the same request. Null if the journal failed. */
  get correlationId(): string | null {
    return quietly(() => this.#attempt?.correlation_id ?? null)
  }

  /** Whether it has ended: what it's told from then on is ignored. */
  get isOver(): boolean {
    return this.#isOver
  }

  /**
   * The head of the answer has come.
   *
   * @param isBodyTold false: `chunk` won't be told the body, or not in a form that can be read. Then
   *   nothing is missed in it.
   */
  answered(status: number, header: (name: string) => string | null, isBodyTold = true): void {
    if (this.#isOver) return
    this.#status = status
    const { path } = this.#options
    const { isStreamAsked } = this.#request
    quietly(() => {
      const type = isBodyTold && status !== 204 ? (header('content-type') ?? '') : OPAQUE_TYPE
      this.#isStream = isOk(status) && (isStreamAsked || type.startsWith('text/event-stream'))
      this.#tellsItsEnd = /event-stream|json/.test(type)
      this.#observer = observeAnswer({
        path,
        status,
        header: (name) => (name === 'content-type' ? type : header(name)),
        isStreamAsked,
      })
    })
  }

  /** Bytes of the body, as they are passed on. They are neither changed nor kept. */
  chunk(bytes: Uint8Array): void {
    if (this.#isOver || bytes.length === 0) return
    quietly(() => this.#observer?.push(bytes))
    this.#hasContent ||= bytes.some((byte) => byte > SPACE)
    if (!this.#isStream || this.#hasFirstByte) return
    this.#hasFirstByte = true
    // The first event of a stream tells its id.
    this.#labelWithId(quietly(() => this.#observer?.end() ?? null))
    quietly(() => this.#attempt?.firstByte())
  }

  /** The body ended as HTTP says it should. */
  ended(): void {
    this.#finish(null)
  }

  /** The exchange ended before the body did. */
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
      // A tier that isn't told again is the one that was asked for.
      service_tier: observation?.service_tier ?? undefined,
    }
    this.#labelWithId(observation)
    quietly(() => {
      if (failure === null) this.#attempt?.complete(outcome)
      else this.#attempt?.fail({ ...outcome, ...failure })
    })
    if (failure === null && observation?.usage == null) {
      const { source, hint } = usageHint(this.#options.path, this.#isStream, this.#options.usageBy ?? null)
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

  /** What went wrong, null if nothing did. */
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
    // A client may leave once it has what it wants. A connection that breaks after the last text may
    // have broken before the usage, so that alone isn't the end.
    const isAllTold = interruption === null || interruption.kind === 'aborted' || observation?.usage != null
    const isEndSeen = this.#tellsItsEnd && this.#hasContent && isAllTold && seen?.kind === 'complete'
    if (isEndSeen || (interruption === null && (!this.#tellsItsEnd || seen === null))) return null
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
    case 'network':
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
    case 'network':
    case 'broken':
      return `${incomplete}: it broke off${reason}`
  }
}

/** `: what happened (CODE)`, from an error and its causes. */
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

/** The result, or null if `act` throws: a log never fails a request. */
function quietly<Result>(act: () => Result): Result | null {
  try {
    return act()
  } catch {
    return null
  }
}

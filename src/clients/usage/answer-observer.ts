import { apiOf } from './api.js'
import { readCostHeaders } from './costs.js'
import { ERROR, FAILURE_MEMBERS, readError, readFailure, statusText } from './errors.js'
import { type Api, type Findings, noFindings, object, usageOf } from './findings.js'
import { type Gap, JsonScanner } from './json-scanner.js'
import type { Answer, AnswerObserver, Observation, ObservedOutcome } from './observation.js'
import { RepeatedEvent } from './repeated-event.js'
import { SseReader } from './sse.js'
import { wantedNode } from './wanted.js'

/**
 * Begins to observe an answer whose head has come. What may be read of its body depends on the
 * request's path alone: an API that isn't known tells nothing but its outcome.
 */
export function observeAnswer(answer: Answer): AnswerObserver {
  try {
    return new BodyObserver(answer)
  } catch {
    // A caller's `header` threw. Observing must never fail a request.
    return new BodyObserver({ ...answer, header: () => null })
  }
}

/** How a body is read: decided by its first byte that isn't white space. */
type Form = 'undecided' | 'json' | 'sse' | 'opaque'

/** What is read of an answer that failed, whichever API it came from. */
const FAILURE: Api = {
  wanted: wantedNode(FAILURE_MEMBERS),
  reader: (found) => (document) => readFailure(document, found),
}
/** What is read of an answer whose API isn't known. Nobody knows what ends its streams either. */
const UNKNOWN: Api = {
  wanted: wantedNode({ error: ERROR }),
  reader(found) {
    found.isEnded = true
    return (document) => readError(document, found)
  },
}

class BodyObserver implements AnswerObserver {
  readonly #status: number
  readonly #isStreamExpected: boolean
  /** Whether the body must have content: a stream and JSON have. */
  readonly #isBodyExpected: boolean
  readonly #costs: ReturnType<typeof readCostHeaders>
  readonly #found: Findings = noFindings()
  readonly #scanner: JsonScanner
  readonly #sse: SseReader
  /** Null: an event that repeats another tells more than that one alone. */
  readonly #repeated: RepeatedEvent | null
  /** Whether no data of the event has come yet. */
  #isEventNew = false
  #form: Form
  /** Bytes of `[DONE]` that the event's data has begun with; −1: it hasn't. */
  #doneBytes = -1
  #isDone = false
  #hasFailed = false

  constructor({ path, status, header, isStreamAsked }: Answer) {
    const isFailure = status < 200 || status > 299
    const api = isFailure ? FAILURE : (apiOf(path) ?? UNKNOWN)
    const read = api.reader(this.#found)
    const type = header('content-type')?.toLowerCase() ?? ''
    this.#status = status
    this.#costs = readCostHeaders(header)
    this.#isStreamExpected = type.includes('event-stream') || (isStreamAsked && !BINARY.test(type))
    this.#isBodyExpected = this.#isStreamExpected || type.includes('json')
    this.#form = BINARY.test(type) ? 'opaque' : 'undecided'
    this.#scanner = new JsonScanner(api.wanted, (document) => read(object(document)))
    this.#repeated = api.countsEvents === true ? null : new RepeatedEvent()
    this.#sse = new SseReader({
      beginEvent: () => {
        this.#doneBytes = 0
        this.#isEventNew = true
      },
      data: (bytes, start, end) => this.#readData(bytes, start, end),
    })
  }

  push(bytes: Uint8Array): void {
    if (this.#hasFailed || this.#form === 'opaque') return
    try {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      if (this.#form === 'undecided') this.#decide(buffer)
      if (this.#form === 'json') this.#scanner.push(buffer)
      else if (this.#form === 'sse') this.#sse.push(buffer)
    } catch {
      // Something that isn't bytes. What was told before stays told.
      this.#hasFailed = true
    }
  }

  end(): Observation {
    const { usage, response_model, service_tier, response_id } = this.#found
    const { provider_cost_usd, provider_cost_sats } = this.#costs
    return {
      usage: usageOf({
        ...usage,
        provider_cost_usd: usage?.provider_cost_usd ?? provider_cost_usd,
        provider_cost_sats: usage?.provider_cost_sats ?? provider_cost_sats,
      }),
      response_model,
      service_tier,
      response_id,
      outcome: this.#outcome(),
    }
  }

  #outcome(): ObservedOutcome {
    const { error } = this.#found
    const status = this.#status
    if (status < 200 || status > 299) {
      return { kind: 'error', status, message: error?.message ?? statusText(status) }
    }
    if (error !== null) return { kind: 'error', ...error }
    return this.#isWhole() ? { kind: 'complete' } : { kind: 'incomplete' }
  }

  #isWhole(): boolean {
    switch (this.#form) {
      case 'sse':
        return this.#found.isEnded || this.#isDone
      case 'json':
        // Of broken JSON nothing is known, so no end is missed.
        return this.#scanner.isEnded || this.#scanner.isBroken
      case 'undecided':
        return !this.#isBodyExpected
      case 'opaque':
        return true
    }
  }

  /** A body says by its first byte what it is: servers that stream errors as JSON don't say so. */
  #decide(bytes: Buffer): void {
    const first = bytes.find((byte) => !NO_CONTENT.has(byte))
    if (first === undefined) return
    const isJson = first === 0x7b || first === 0x5b
    this.#form = isJson ? 'json' : this.#isStreamExpected ? 'sse' : 'opaque'
  }

  #readData(bytes: Buffer, start: number, end: number): void {
    const isNew = this.#isEventNew
    this.#isEventNew = false
    if (isNew) {
      if (this.#repeated?.isRepeatedBy(bytes, start, end)) {
        // The scanner stays at the end of the event before, which is where it would come to again.
        this.#doneBytes = -1
        return
      }
      this.#repeated?.forget()
      this.#scanner.reset()
    }
    for (let at = start; at < end && this.#doneBytes >= 0 && this.#doneBytes < DONE.length; at++) {
      this.#doneBytes = bytes[at] === DONE[this.#doneBytes] ? this.#doneBytes + 1 : -1
    }
    if (this.#doneBytes === DONE.length) this.#isDone = true
    else if (isNew && this.#repeated !== null && RepeatedEvent.isShort(bytes, start, end)) {
      this.#scanAndRemember(this.#repeated, bytes, start, end)
    } else this.#scanner.push(bytes, start, end)
  }

  #scanAndRemember(repeated: RepeatedEvent, bytes: Buffer, start: number, end: number): void {
    const gaps: Gap[] = []
    this.#scanner.gaps = gaps
    this.#scanner.push(bytes, start, end)
    this.#scanner.gaps = null
    if (this.#scanner.isEnded) repeated.remember(bytes, start, end, gaps)
  }
}

const DONE = Buffer.from('[DONE]')
/** White space, and the bytes of a byte order mark. */
const NO_CONTENT = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf])
const BINARY = /^(audio|image|video)\/|^application\/(octet-stream|zip)/

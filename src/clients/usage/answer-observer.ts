import { apiOf } from './apis.js'
import { readCostHeaders } from './costs.js'
import { type Api, type Findings, noFindings, usageOf } from './findings.js'
import { type Gap, JsonScanner } from './json-scanner.js'
import type { Answer, Observation, ObservedOutcome } from './observation.js'
import { ERROR, FAILURE_MEMBERS, readError, readFailure, statusText } from './provider-errors.js'
import { RepeatedEvent } from './repeated-event.js'
import { SseReader } from './sse.js'
import { object } from './values.js'
import { wantedNode } from './wanted-members.js'

/**
 * Begins to observe an answer whose head has arrived. What is read of its body depends only on its
 * status and, if that is a success, on the request's path. If the path belongs to no known API,
 * only the outcome is read.
 */
export function observeAnswer(answer: Answer): AnswerObserver {
  try {
    return new AnswerObserver(answer)
  } catch {
    // A caller's `header` threw. Observing must never fail a request.
    return new AnswerObserver({ ...answer, header: () => null })
  }
}

/** How a body is read, which its first byte that isn't white space decides. */
type Form = 'undecided' | 'json' | 'sse' | 'opaque'

/** Reads an answer that failed, whichever API it came from. */
const FAILURE: Api = {
  wanted: wantedNode(FAILURE_MEMBERS),
  reader: (found) => (document) => readFailure(document, found),
}
/** Reads an answer whose API isn't known. What ends its streams isn't known either. */
const UNKNOWN: Api = {
  wanted: wantedNode({ error: ERROR }),
  reader: (found) => (document) => readError(document, found),
}

/**
 * Reads the bytes of one answer. No method throws, and the memory an observer takes doesn't grow
 * with the answer.
 */
export class AnswerObserver {
  readonly #status: number
  readonly #isApiKnown: boolean
  readonly #isStreamExpected: boolean
  /** Whether an empty body is incomplete, as one of a stream or of JSON is. */
  readonly #isBodyExpected: boolean
  readonly #costs: ReturnType<typeof readCostHeaders>
  readonly #found: Findings = noFindings()
  readonly #scanner: JsonScanner
  readonly #sse: SseReader
  /** Null: every event counts, even one that repeats another. */
  readonly #repeated: RepeatedEvent | null
  /** Whether no data of the event has arrived yet. */
  #isEventNew = false
  #form: Form
  /** How many bytes of `[DONE]` the event's data begins with; −1 if it's something else. */
  #doneBytes = -1
  #isDone = false
  #hasFailed = false

  constructor({ path, status, header, isStreamAsked }: Answer) {
    const isFailure = status < 200 || status > 299
    const api = isFailure ? FAILURE : (apiOf(path) ?? UNKNOWN)
    const read = api.reader(this.#found)
    const type = header('content-type')?.toLowerCase() ?? ''
    this.#status = status
    this.#isApiKnown = api !== UNKNOWN
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

  /**
   * Reads the next bytes of the body, whose `content-encoding` has been undone. They aren't
   * changed, and no reference to them is kept.
   */
  push(bytes: Uint8Array): void {
    if (this.#hasFailed || this.#form === 'opaque') return
    try {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const content = this.#form === 'undecided' ? this.#decide(buffer) : buffer
      if (this.#form === 'json') this.#scanner.push(content)
      else if (this.#form === 'sse') this.#sse.push(content)
    } catch {
      // The client got something other than bytes. What was found before that stays.
      this.#hasFailed = true
    }
  }

  /**
   * Returns what was learned once the body has ended or broken off. Called earlier, it returns what
   * was learned so far, and observing goes on.
   */
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
    return { kind: this.#end() }
  }

  #end(): 'complete' | 'incomplete' | 'unknown' {
    switch (this.#form) {
      case 'sse':
        if (this.#found.isEnded || this.#isDone) return 'complete'
        return this.#isApiKnown ? 'incomplete' : 'unknown'
      case 'json':
        // Nobody knows where broken JSON should end.
        if (this.#scanner.isBroken) return 'unknown'
        return this.#scanner.isEnded ? 'complete' : 'incomplete'
      case 'undecided':
        return this.#isBodyExpected ? 'incomplete' : 'unknown'
      case 'opaque':
        return 'unknown'
    }
  }

  /**
   * Goes by the first byte, since some servers send errors as JSON with a stream's content-type.
   *
   * @returns the bytes from that one on
   */
  #decide(bytes: Buffer): Buffer {
    const at = bytes.findIndex((byte) => !NO_CONTENT.has(byte))
    if (at === -1) return bytes
    const isJson = bytes[at] === 0x7b || bytes[at] === 0x5b
    this.#form = isJson ? 'json' : this.#isStreamExpected ? 'sse' : 'opaque'
    return bytes.subarray(at)
  }

  #readData(bytes: Buffer, start: number, end: number): void {
    const isNew = this.#isEventNew
    this.#isEventNew = false
    if (isNew) {
      if (this.#repeated?.isRepeatedBy(bytes, start, end)) {
        // The scanner is still at the end of the previous event, where reading this one would end.
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

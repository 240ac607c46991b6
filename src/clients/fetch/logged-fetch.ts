import { checkJournal, Exchange, type ExchangeJournal, type Interruption } from '../exchange.js'
import { askForUsage } from '../include-usage.js'
import { providerOfHost } from '../provider-hosts.js'
import { describeRequest, type RequestDescription } from '../request.js'
import { text } from '../usage/findings.js'
import { UsageChunkFilter } from '../usage/usage-chunk.js'
import { AbortWatch } from './interruption.js'
import { type BodyFilter, type BodyObserver, observedResponse } from './observed-response.js'
import { checkOptions, type LoggedFetchOptions, labelsOf, type OutgoingRequest } from './options.js'
import { type Outgoing, outgoingOf } from './outgoing.js'
import { Retries } from './retries.js'

/**
 * Returns a `fetch` that logs the calls of models that go through it, for any client that takes
 * one: `new OpenAI({ fetch: loggedFetch(journal) })`.
 *
 * The client gets the bytes of the provider as they come, in a Response of the same class. Nothing
 * is read ahead of it, and whatever fails in logging, its call goes on. Prompts, answers and keys
 * aren't logged. Calls that don't ask a model, such as a list of models, pass through unlogged.
 *
 * @throws TypeError for no journal, an unknown option or one of another type.
 */
export function loggedFetch(
  journal: ExchangeJournal,
  options: LoggedFetchOptions = {},
): typeof globalThis.fetch {
  checkJournal(journal, 'loggedFetch')
  checkOptions(options)
  const retries = new Retries()
  return async (...args) => {
    const [input, init] = args
    const fetch = options.fetch ?? globalThis.fetch
    const call = quietly(() => LoggedCall.begin(journal, options, retries, outgoingOf(input, init)))
    if (call === null) return fetch(...args)
    const isUsageAdded = options.includeUsage === true && typeof init?.body === 'string'
    const body = isUsageAdded ? quietly(() => askForUsage(String(init.body), call.path)) : null
    let response: Response
    try {
      response = await (body === null ? fetch(...args) : fetch(input, { ...init, body }))
    } catch (error) {
      call.errored(error)
      throw error
    }
    return call.answered(response, body === null ? null : new UsageChunkFilter())
  }
}

/** One call of fetch that is logged. No method throws. */
class LoggedCall implements BodyObserver {
  readonly #exchange: Exchange
  readonly #outgoing: Outgoing
  readonly #request: RequestDescription
  readonly #retries: Retries
  readonly #abort: AbortWatch
  #hasAnswer = false

  /** @returns null if it isn't a call of a model. */
  static begin(
    journal: ExchangeJournal,
    options: LoggedFetchOptions,
    retries: Retries,
    outgoing: Outgoing,
  ): LoggedCall | null {
    const { method, url, header, body } = outgoing
    const request = describeRequest({ method, path: url.pathname + url.search, header, body })
    return request === null ? null : new LoggedCall(journal, options, retries, outgoing, request)
  }

  private constructor(
    journal: ExchangeJournal,
    options: LoggedFetchOptions,
    retries: Retries,
    outgoing: Outgoing,
    request: RequestDescription,
  ) {
    this.#outgoing = outgoing
    this.#abort = new AbortWatch(outgoing.signal)
    this.#request = request
    this.#retries = retries
    const { url, method, header, body } = outgoing
    const { model, isStreamAsked, attempt } = request
    const told: OutgoingRequest = { url, method, header, model, isStreamAsked }
    const { labels, correlationId, policy, responseIdLabel } = options
    this.#exchange = Exchange.begin(journal, request, {
      path: this.path,
      provider: options.provider ?? providerOfHost(url.hostname),
      policy,
      labels: typeof labels === 'function' ? (quietly(() => labelsOf(labels(told))) ?? undefined) : labels,
      correlationId:
        text(quietly(() => correlationId?.(told))) ??
        request.correlationId ??
        (attempt !== null && body !== null ? retries.correlationIdOf(attempt, url.href, body) : undefined),
      responseIdLabel,
      // With the option, only a body that isn't a string comes to this.
      usageBy:
        options.includeUsage === true
          ? 'send the body as a string, to which includeUsage of loggedFetch can add it'
          : 'with includeUsage of loggedFetch',
    })
  }

  get path(): string {
    return this.#outgoing.url.pathname
  }

  /** Gives the response that the client gets. */
  answered(response: Response, filter: BodyFilter | null): Response {
    return quietly(() => this.#observed(response, filter)) ?? response
  }

  #observed(response: Response, filter: BodyFilter | null): Response {
    const { status, headers } = response
    this.#hasAnswer = true
    const observed = observedResponse(response, this, filter)
    // Bodies are decoded when they are seen here.
    const header = (name: string) => (name === 'content-encoding' ? null : headers.get(name))
    this.#exchange.answered(status, header, observed !== null)
    if (!response.ok) this.#remember()
    // A long stream shouldn't keep a long prompt.
    this.#outgoing.body = null
    if (observed === null) {
      this.ended()
      return response
    }
    this.#abort.afterAbort(observed.fail)
    return observed.response
  }

  chunk(bytes: Uint8Array): void {
    this.#exchange.chunk(bytes)
  }

  ended(): void {
    this.#abort.end()
    this.#exchange.ended()
  }

  cancelled(): void {
    this.#failed({ kind: 'aborted' })
  }

  dropped(): void {
    this.#failed({ kind: 'aborted', error: 'the answer was dropped before its end' })
  }

  errored(error: unknown): void {
    if (!this.#hasAnswer) this.#remember()
    this.#failed(quietly(() => this.#abort.interruptionOf(error)) ?? { kind: 'network' })
  }

  #failed(interruption: Interruption): void {
    this.#abort.end()
    this.#exchange.failed(interruption)
  }

  /** Remembers a failed attempt for its retry. */
  #remember(): void {
    const { url, body } = this.#outgoing
    const { attempt } = this.#request
    const id = this.#exchange.correlationId
    if (attempt === null || body === null || id === null) return
    quietly(() => this.#retries.failed(attempt, url.href, body, id))
  }
}

/** The result, or null if `act` throws: a log never fails a request. */
function quietly<Result>(act: () => Result): Result | null {
  try {
    return act()
  } catch {
    return null
  }
}

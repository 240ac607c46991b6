import { describeRequest, type RequestDescription } from '../describe-request.js'
import { checkJournal, Exchange, type ExchangeJournal, type Interruption, quietly } from '../exchange.js'
import { askForUsage } from '../include-usage.js'
import { providerOfHost } from '../provider-hosts.js'
import { UsageChunkFilter } from '../usage/usage-chunk-filter.js'
import { text } from '../usage/values.js'
import { AbortWatch } from './abort-watch.js'
import { type FetchRequest, fetchRequestOf } from './fetch-request.js'
import { type BodyFilter, type BodyListener, observedResponse } from './observed-response.js'
import { checkOptions, type LoggedFetchOptions, labelsOf, type OutgoingRequest } from './options.js'
import { Retries } from './retries.js'

/**
 * Returns a `fetch` that logs the calls to models that go through it, for any client that takes
 * one: `new OpenAI({ fetch: loggedFetch(journal) })`.
 *
 * The client gets the provider's bytes as they come, in a Response of the same class. Nothing is
 * read before the client reads it, and if logging fails, the call goes on. Prompts, answers and
 * keys aren't logged. Calls that don't use a model, such as one for a list of models, aren't logged
 * either.
 *
 * @throws TypeError if `journal` isn't a journal, or for an unknown option or one of a wrong type.
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
    const call = quietly(() => {
      const request = fetchRequestOf(input, init)
      const { method, url, header, body } = request
      const description = describeRequest({ method, path: url.pathname + url.search, header, body })
      return description === null ? null : new LoggedCall(journal, options, retries, request, description)
    })
    if (call === null) return fetch(...args)
    const mayAskForUsage = options.includeUsage === true && typeof init?.body === 'string'
    const body = mayAskForUsage ? quietly(() => askForUsage(String(init.body), call.path)) : null
    let response: Response
    try {
      response = await (body === null ? fetch(...args) : fetch(input, { ...init, body }))
    } catch (error) {
      call.errored(error)
      throw error
    }
    return call.observed(response, body === null ? null : new UsageChunkFilter())
  }
}

/** One logged call of fetch. No method throws. */
class LoggedCall implements BodyListener {
  readonly #exchange: Exchange
  readonly #request: FetchRequest
  readonly #description: RequestDescription
  readonly #retries: Retries
  readonly #abort: AbortWatch
  #hasAnswer = false

  constructor(
    journal: ExchangeJournal,
    options: LoggedFetchOptions,
    retries: Retries,
    request: FetchRequest,
    description: RequestDescription,
  ) {
    this.#request = request
    this.#abort = new AbortWatch(request.signal)
    this.#description = description
    this.#retries = retries
    const { url, method, header, body } = request
    const { model, isStreamAsked, attempt } = description
    const outgoing: OutgoingRequest = { url, method, header, model, isStreamAsked }
    const { labels, correlationId, policy, responseIdLabel } = options
    this.#exchange = new Exchange(journal, description, {
      path: this.path,
      provider: options.provider ?? providerOfHost(url.hostname),
      policy,
      labels:
        typeof labels === 'function' ? (quietly(() => labelsOf(labels(outgoing))) ?? undefined) : labels,
      correlationId:
        text(quietly(() => correlationId?.(outgoing))) ??
        description.correlationId ??
        (attempt !== null && body !== null ? retries.correlationIdOf(attempt, url.href, body) : undefined),
      responseIdLabel,
      // If the option is set and usage still isn't asked for, the body probably isn't a string.
      usageAlternative:
        options.includeUsage === true
          ? 'send the body as a string, so that includeUsage of loggedFetch can ask'
          : 'with includeUsage of loggedFetch',
    })
  }

  get path(): string {
    return this.#request.url.pathname
  }

  /** Returns a response for the client that is observed while it's read. */
  observed(response: Response, filter: BodyFilter | null): Response {
    return quietly(() => this.#observe(response, filter)) ?? response
  }

  #observe(response: Response, filter: BodyFilter | null): Response {
    const { status, headers } = response
    this.#hasAnswer = true
    const observed = observedResponse(response, this, filter)
    // Without its content-encoding, since fetch has already decoded the body.
    const header = (name: string) => (name === 'content-encoding' ? null : headers.get(name))
    this.#exchange.answered(status, header, observed !== null)
    if (!response.ok) this.#remember()
    // A long prompt needn't stay in memory as long as the stream that answers it.
    this.#request.body = null
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
    this.#failed(quietly(() => this.#abort.interruptionOf(error)) ?? { kind: 'broken' })
  }

  #failed(interruption: Interruption): void {
    this.#abort.end()
    this.#exchange.failed(interruption)
  }

  /** Remembers a failed attempt, so that its retry gets the same correlation id. */
  #remember(): void {
    const { url, body } = this.#request
    const { attempt } = this.#description
    const id = this.#exchange.correlationId
    if (attempt === null || body === null || id === null) return
    quietly(() => this.#retries.failed(attempt, url.href, body, id))
  }
}

import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Agent } from 'undici'
import { BoundedWarnings } from '../../journal/append/warnings.js'
import { describeRequest, type RequestDescription } from '../describe-request.js'
import { Exchange, type ExchangeJournal } from '../exchange.js'
import { pathOf } from '../usage/apis.js'
import { text } from '../usage/values.js'
import { Forwarding } from './forwarding.js'
import { CORRELATION_HEADER, headersForUpstream, headerText } from './headers.js'
import type { ResolvedOptions } from './options.js'
import { answerRefusal, Refusal } from './refusal.js'
import { RequestBody } from './request-body.js'
import { isPlainPath, type Route, routeOf } from './upstreams.js'

/** Handles the requests of one proxy. */
export class RequestHandler {
  /** Whether the proxy is stopping. Answers may still end, but connections aren't kept alive. */
  isStopping = false
  /** Whether the proxy closes the connections of answers that haven't ended in time. */
  isCuttingOff = false
  readonly #journal: ExchangeJournal
  readonly #options: ResolvedOptions
  readonly #agent: Agent
  readonly #failures: BoundedWarnings

  constructor(journal: ExchangeJournal, options: ResolvedOptions, agent: Agent) {
    this.#journal = journal
    this.#options = options
    this.#agent = agent
    this.#failures = new BoundedWarnings(options.logger)
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // The rest of the request is read even after the answer, because many clients don't read an
    // answer before they have sent everything.
    response.on('finish', () => request.resume())
    try {
      await this.#forward(request, response, this.#route(request))
    } catch (error) {
      if (response.headersSent || response.destroyed) response.destroy()
      else answerRefusal(response, refusalOf(error), null)
    }
  }

  /** @throws Refusal */
  #route(request: IncomingMessage): Route {
    this.#options.access.check(request.headers)
    const { url = '', headers } = request
    // Other upgrades are ignored: Java's HTTP client offers HTTP/2 with each request.
    if (/\bwebsocket\b/i.test(headers.upgrade ?? '')) {
      throw new Refusal(501, 'no_websockets', "WebSockets aren't passed on; use the API's HTTP endpoints")
    }
    if (!isPlainPath(url)) {
      const expected = "one that begins with a slash, without '.' or '..' segments"
      throw new Refusal(400, 'invalid_path', `found a target that isn't a plain path: expected ${expected}`)
    }
    const { upstreams } = this.#options
    const route = routeOf(upstreams, url)
    if (route !== null) return route
    const prefixes = upstreams.map(({ prefix }) => prefix).join(', ')
    throw new Refusal(404, 'unknown_prefix', `no upstream for this path; paths begin with one of ${prefixes}`)
  }

  async #forward(request: IncomingMessage, response: ServerResponse, route: Route): Promise<void> {
    const { upstream, path } = route
    const { method = 'GET', rawHeaders } = request
    const body = await RequestBody.read(request)
    const description = describe(request, path, body)
    // The attempt of a long request begins only when all of it has been read, because its model may
    // come last.
    let exchange: Exchange | null | undefined
    const begin = () => {
      exchange ??= this.#begin(
        request,
        route,
        body.whole === null ? describe(request, path, body) : description,
      )
      return exchange
    }
    if (body.whole !== null) begin()
    const changed =
      upstream.includeUsage && description !== null ? body.withUsageAskedFor(pathOf(path)) : null
    const forwarding = new Forwarding({
      request,
      response,
      origin: upstream.origin,
      body,
      exchange: begin,
      isUsageAskedFor: changed !== null,
      isStopping: () => this.isStopping,
      isCuttingOff: () => this.isCuttingOff,
      onUpstreamFailure: (error) =>
        this.#failures.warn(Date.now(), { err: error }, 'An upstream gave no answer, or only a part of it'),
    })
    const headers = headersForUpstream(rawHeaders, {
      isObserved: description !== null,
      isWhole: body.whole !== null,
    })
    const sent = changed ?? body.whole ?? body.stream(begin)
    try {
      this.#agent.dispatch(
        // undici also takes an iterable as the body, which its types don't say.
        { origin: upstream.origin, path, method, headers, body: sent as Buffer },
        forwarding,
      )
    } catch (error) {
      forwarding.onResponseError(null, error as Error)
    }
  }

  #begin(request: IncomingMessage, route: Route, description: RequestDescription | null): Exchange | null {
    if (description === null) return null
    const { labels, labelHeaders } = this.#options
    const { upstream, path } = route
    const all: Record<string, string> = { ...labels, ...upstream.labels }
    for (const [name, label] of labelHeaders) {
      const value = headerOf(request, name)
      if (value !== null) all[label] = decodedHeader(value)
    }
    return new Exchange(this.#journal, description, {
      path,
      provider: upstream.provider,
      labels: all,
      correlationId: text(headerOf(request, CORRELATION_HEADER)) ?? undefined,
      // If the option is set and usage still isn't asked for, the request is probably too long.
      usageAlternative: upstream.includeUsage
        ? 'keep the request within 1 MiB, so that --include-usage of the proxy can ask'
        : 'with --include-usage of the proxy (includeUsage of startProxy)',
    })
  }
}

function describe(request: IncomingMessage, path: string, body: RequestBody): RequestDescription | null {
  return describeRequest({
    method: request.method ?? 'GET',
    path,
    header: (name) => headerOf(request, name),
    body: body.readable,
  })
}

function headerOf(request: IncomingMessage, name: string): string | null {
  return headerText(request.headers[name.toLowerCase()])
}

/** Decodes a header as UTF-8, which most clients send, although Node.js reads it as Latin-1. */
function decodedHeader(value: string): string {
  const bytes = Buffer.from(value, 'latin1')
  return isUtf8(bytes) ? bytes.toString() : value
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  return new Refusal(500, 'internal_error', 'the request could not be passed on')
}

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Exchange } from '../exchange.js'
import { UsageChunkFilter } from '../usage/usage-chunk-filter.js'
import { headersForClient, headerText } from './headers.js'
import { type ObservedAnswer, observedAnswer } from './observed-answer.js'
import { answerRefusal, codeOf, type Refusal, upstreamFailure } from './refusal.js'
import type { RequestBody } from './request-body.js'

const NO_BYTES = Buffer.alloc(0)

/** What one request and its answer need while they are passed on. */
export interface ForwardingOptions {
  request: IncomingMessage
  response: ServerResponse
  /** The upstream's origin, for messages. */
  origin: string
  body: RequestBody
  /** Returns the request's exchange, which the first call begins; null if it isn't logged. */
  exchange(): Exchange | null
  /** Whether the proxy asked for usage, and so has to hide it from the client. */
  isUsageAskedFor: boolean
  /** Whether the proxy is stopping, so that the connection isn't kept alive. */
  isStopping(): boolean
  /** Whether it is the proxy that closes connections, and not their clients. */
  isCuttingOff(): boolean
  /** Called if the upstream gave no answer, or not all of it. */
  onUpstreamFailure(error: Error): void
}

/**
 * Passes one answer on, chunk by chunk. Events are written before the client gets the bytes that
 * they are about: the beginning of a stream before its first byte, the end of an answer before its
 * last. So whatever a client has received as a whole is in the journal, even if this process is
 * killed.
 */
export class Forwarding implements Dispatcher.DispatchHandler {
  readonly #options: ForwardingOptions
  readonly #response: ServerResponse
  #controller: Dispatcher.DispatchController | null = null
  /** Null until the head of the answer has come. */
  #answer: ObservedAnswer | null = null
  /** Removes the usage that the client hasn't asked for; null if the answer passes unchanged. */
  #filter: UsageChunkFilter | null = null
  /** How many bytes of the body are still to come, by its Content-Length; NaN if it has none. */
  #bytesLeft = Number.NaN
  #isOver = false

  constructor(options: ForwardingOptions) {
    this.#options = options
    this.#response = options.response
    // If the client leaves once its request has been read, only the response's connection shows it.
    this.#response.on('close', () => this.#cutOff())
    this.#response.on('drain', () => this.#controller?.resume())
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#isOver) controller.abort(new Error('the client has left'))
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
    message?: string,
  ): void {
    // Informational responses such as 103 come before the answer.
    if (status < 200) return
    const exchange = this.#options.exchange()
    this.#answer = observedAnswer(exchange, status, (name) => headerText(headers[name]))
    if (this.#options.isUsageAskedFor && hasReadableEvents(status, headers))
      this.#filter = new UsageChunkFilter()
    const length = headerText(headers['content-length'])
    const hasBody = this.#options.request.method !== 'HEAD' && status !== 204 && status !== 304
    this.#bytesLeft = length === null || !hasBody ? Number.NaN : Number(length)
    const raw = (controller.rawHeaders ?? []) as (string | Buffer)[]
    const response = this.#response
    response.sendDate = false
    if (this.#options.isStopping()) response.shouldKeepAlive = false
    response.writeHead(
      status,
      reasonPhrase(message),
      headersForClient(raw, exchange?.correlationId ?? null, this.#filter !== null),
    )
    // If the body doesn't come in the same packet as the head, the head is sent at once. Otherwise
    // both are written in one call.
    process.nextTick(() => {
      if (!response.writableEnded && !response.destroyed) response.flushHeaders()
    })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return
    this.#answer?.chunk(chunk)
    this.#bytesLeft -= chunk.length
    if (this.#bytesLeft === 0) {
      this.#end(chunk)
      return
    }
    const passed = this.#filter?.push(chunk) ?? chunk
    if (passed.length > 0 && !this.#response.write(passed)) controller.pause()
  }

  onResponseEnd(): void {
    if (!this.#isOver) this.#end()
  }

  /** @param last the last bytes of the body, if it's known that these are the last. */
  #end(last?: Buffer): void {
    this.#isOver = true
    const filter = this.#filter
    const rest = filter === null ? last : Buffer.concat([filter.push(last ?? NO_BYTES), filter.end()])
    this.#answer?.ended(() => this.#response.end(rest))
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#isOver) return
    const isAgentDestroyed = codeOf(error) === 'UND_ERR_DESTROYED'
    if (this.#options.request.errored !== null || this.#response.destroyed || isAgentDestroyed) {
      this.#cutOff()
      return
    }
    const { origin, body, onUpstreamFailure } = this.#options
    const refusal = upstreamFailure(origin, error)
    onUpstreamFailure(refusal)
    if (this.#response.headersSent) {
      this.#isOver = true
      this.#answer?.failed({ kind: 'broken', error: refusal })
      // The client must notice that the answer is incomplete.
      this.#response.destroy()
    } else {
      // The rest of a long request is read, since its model may come last. If the client leaves
      // meanwhile, `#cutOff` ends the exchange.
      body.readToEnd().then(
        () => this.#refuse(refusal),
        () => {},
      )
    }
  }

  #refuse(refusal: Refusal): void {
    if (this.#isOver) return
    this.#isOver = true
    const exchange = this.#options.exchange()
    exchange?.failed({ kind: refusal.status === 504 ? 'timeout' : 'broken', error: refusal })
    answerRefusal(this.#response, refusal, exchange?.correlationId ?? null)
  }

  /** Ends the exchange because the client has left, or the proxy has closed its connection. */
  #cutOff(): void {
    if (this.#isOver) return
    this.#isOver = true
    const interruption = this.#options.isCuttingOff()
      ? ({ kind: 'broken', error: 'the proxy was stopped' } as const)
      : ({ kind: 'aborted' } as const)
    if (this.#answer === null) this.#options.exchange()?.failed(interruption)
    else this.#answer.failed(interruption)
    this.#controller?.abort(new Error('the client has left'))
  }
}

/** Whether the events of a stream can be found in the answer: it succeeded and isn't compressed. */
function hasReadableEvents(status: number, headers: Record<string, string | string[] | undefined>): boolean {
  return status === 200 && /^(identity)?$/i.test(headerText(headers['content-encoding'])?.trim() ?? '')
}

/** An upstream's own words for a status, without the characters that Node.js refuses to send. */
function reasonPhrase(message = ''): string {
  return message.replace(/[^\t\x20-\x7e\x80-\xff]/g, '')
}

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Exchange } from '../exchange.js'
import { UsageChunkFilter } from '../usage/usage-chunk.js'
import { headersForClient } from './headers.js'
import { type ObservedAnswer, observedAnswer } from './observed-answer.js'
import { answerRefusal, codeOf, type Refusal, upstreamFailure } from './refusal.js'
import type { RequestBody } from './request-body.js'

const NO_BYTES = Buffer.alloc(0)

/** What one request and its answer need while they are passed on. */
export interface ForwardingOptions {
  request: IncomingMessage
  response: ServerResponse
  /** The upstream's, for messages. */
  origin: string
  body: RequestBody
  /** Begins the request's exchange once, or gives null if it isn't logged. */
  exchange(): Exchange | null
  /** Whether the proxy has asked for usage in the client's place, who isn't to see it. */
  isUsageAdded: boolean
  /** Whether the proxy is about to stop. */
  isStopping(): boolean
  /** Told of an upstream that gave no answer, or not all of it. */
  onUpstreamFailure(error: Error): void
}

/**
 * Passes one answer on, chunk by chunk. What is logged is written before the client can know of it:
 * the row of a stream before its first byte, the end of an answer before its last one. So whatever
 * a client has seen whole is in the journal, even if this process is killed.
 */
export class Forwarding implements Dispatcher.DispatchHandler {
  readonly #options: ForwardingOptions
  readonly #response: ServerResponse
  #controller: Dispatcher.DispatchController | null = null
  /** Null until the head of the answer has come. */
  #answer: ObservedAnswer | null = null
  /** Takes out what the client hasn't asked for. Null: the answer passes as it is. */
  #filter: UsageChunkFilter | null = null
  /** How many bytes of the body are still to come, by its Content-Length; NaN if it has none. */
  #bytesLeft = Number.NaN
  #isOver = false

  constructor(options: ForwardingOptions) {
    this.#options = options
    this.#response = options.response
    // Clients that leave are told by the answer: a request that was read has no more to tell.
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
    // Hints such as 103 aren't the answer.
    if (status < 200) return
    const exchange = this.#options.exchange()
    this.#answer = observedAnswer(exchange, status, (name) => textOf(headers[name]))
    if (this.#options.isUsageAdded && isReadable(status, headers)) this.#filter = new UsageChunkFilter()
    const length = textOf(headers['content-length'])
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
    // A head without a body is passed on at once. Most bodies come in the same packet, and both are
    // then written in one call.
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

  /** @param last the last bytes of the body, if they are known to be. */
  #end(last?: Buffer): void {
    this.#isOver = true
    const filter = this.#filter
    const rest = filter === null ? last : Buffer.concat([filter.push(last ?? NO_BYTES), filter.end()])
    this.#answer?.ended(() => this.#response.end(rest))
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#isOver) return
    const isOwnDoing = codeOf(error) === 'UND_ERR_DESTROYED'
    if (this.#options.request.errored !== null || this.#response.destroyed || isOwnDoing) {
      this.#cutOff()
      return
    }
    const { origin, body, onUpstreamFailure } = this.#options
    const refusal = upstreamFailure(origin, error)
    onUpstreamFailure(refusal)
    if (this.#response.headersSent) {
      this.#isOver = true
      this.#answer?.failed({ kind: 'broken', error: refusal })
      // The client has to see that this isn't the answer's end.
      this.#response.destroy()
    } else {
      // A long request is read on: its model may be at its end. If the client leaves, it is over.
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
    exchange?.failed({ kind: refusal.status === 504 ? 'timeout' : 'network', error: refusal })
    answerRefusal(this.#response, refusal, exchange?.correlationId ?? null)
  }

  /** The client has left, or the proxy stops. */
  #cutOff(): void {
    if (this.#isOver) return
    this.#isOver = true
    const isStopped = this.#options.isStopping()
    const interruption = isStopped
      ? ({ kind: 'broken', error: 'the proxy was stopped' } as const)
      : ({ kind: 'aborted' } as const)
    if (this.#answer === null) this.#options.exchange()?.failed(interruption)
    else this.#answer.failed(interruption)
    this.#controller?.abort(new Error('the client has left'))
  }
}

/** Whether a stream's events can be told in the answer: it's none that failed, nor compressed. */
function isReadable(status: number, headers: Record<string, string | string[] | undefined>): boolean {
  return status === 200 && /^(identity)?$/i.test(textOf(headers['content-encoding'])?.trim() ?? '')
}

/** An upstream's own words for a status, without the characters that Node.js refuses to send. */
function reasonPhrase(message = ''): string {
  return message.replace(/[^\t\x20-\x7e\x80-\xff]/g, '')
}

function textOf(value: string | string[] | undefined): string | null {
  if (value === undefined) return null
  return typeof value === 'string' ? value : value.join(', ')
}

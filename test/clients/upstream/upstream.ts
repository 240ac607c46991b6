import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { onTestFinished } from 'vitest'
import type { Answer } from './answers.js'
import * as answers from './answers.js'

/** A request as the upstream got it. */
export interface Received {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: string
}

/** How an answer is sent. */
export interface Delivery {
  /** Bytes of each write. @default all at once */
  chunkBytes?: number
  encoding?: 'gzip' | 'br' | undefined
  /** Before the head. */
  headDelayMs?: number
  /** Between two writes. */
  pauseMs?: number
  /** Destroys the connection after so many bytes of the body; −1: before the head. */
  breakAfter?: number
  /** Sends nothing more after so many bytes of the body; −1: not even the head. */
  stallAfter?: number
}

export type Reply = Answer & { delivery?: Delivery }
export type Handler = (request: Received, response: ServerResponse) => Reply | Promise<Reply | null> | null

/**
 * A provider of this machine that speaks the published protocols. It answers by path, or as it is
 * told to for the next requests.
 */
export class Upstream {
  readonly received: Received[] = []
  /** How the answers by path are sent. */
  delivery: Delivery = {}
  /** Handles a request instead; null: it has answered itself. */
  handler: Handler | null = null
  /** Connections that ended before their answer did. */
  brokenOff = 0
  readonly #server: Server
  readonly #next: Reply[] = []

  private constructor(server: Server) {
    this.#server = server
    server.on('request', (request, response) => void this.#respond(request, response))
  }

  static async start(): Promise<Upstream> {
    const server = createServer({ keepAliveTimeout: 60_000 })
    const upstream = new Upstream(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return upstream
  }

  /** `http://127.0.0.1:port` */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Answers the next request so, and the one after it with the next of `replies`. */
  answerNext(...replies: Reply[]): void {
    this.#next.push(...replies)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('close', () => {
      if (!response.writableFinished) this.brokenOff++
    })
    const parts: Buffer[] = []
    try {
      for await (const part of request) parts.push(part)
    } catch {
      // The client left while it was sending.
      return
    }
    const { method = '', url: path = '', headers } = request
    const received = { method, path, headers, body: Buffer.concat(parts).toString() }
    this.received.push(received)
    const answer: Reply | null = await (this.#next.shift() ??
      (this.handler ?? answerByPath)(received, response))
    if (answer !== null) await deliver(answer, answer.delivery ?? this.delivery, response)
  }
}

/** An upstream that is closed after the test. */
export async function startUpstream(): Promise<Upstream> {
  const upstream = await Upstream.start()
  onTestFinished(() => upstream.close())
  return upstream
}

/** The usual answer of an API, streamed if the request asks for it. */
export function answerByPath({ path, body, method }: Received): Answer {
  const route = path.replace(/\?.*/, '')
  if (method === 'GET') return answers.models()
  const isForm = !body.startsWith('{')
  const request = isForm ? {} : (JSON.parse(body) as Record<string, unknown>)
  const { stream, stream_options: options, tools } = request
  const isStream = stream === true
  const isTool = Array.isArray(tools) && tools.length > 0
  if (route.endsWith('/chat/completions')) {
    const usage = (options as { include_usage?: boolean } | undefined)?.include_usage === true
    return isStream ? answers.chatStream({ usage, isTool }) : answers.chat(answers.TEXT, isTool)
  }
  if (route.endsWith('/responses')) return isStream ? answers.responsesStream() : answers.responses()
  if (route.endsWith('/embeddings')) return answers.embeddings()
  if (route.endsWith('/messages')) return isStream ? answers.messageStream() : answers.message()
  if (route.endsWith(':streamGenerateContent')) return answers.geminiStream(path.includes('alt=sse'))
  if (route.endsWith(':generateContent')) return answers.gemini()
  return answers.openAiError(404, `Unknown request URL: ${method} ${route}`)
}

async function deliver(answer: Answer, delivery: Delivery, response: ServerResponse): Promise<void> {
  const { encoding, chunkBytes, headDelayMs = 0, pauseMs = 0 } = delivery
  const { breakAfter = Number.POSITIVE_INFINITY, stallAfter = Number.POSITIVE_INFINITY } = delivery
  if (headDelayMs > 0) await sleep(headDelayMs)
  if (stallAfter < 0) return
  if (breakAfter < 0) {
    response.destroy()
    return
  }
  const plain = Buffer.from(answer.body)
  const body = encoding === 'gzip' ? gzipSync(plain) : encoding === 'br' ? brotliCompressSync(plain) : plain
  const headers = { ...answer.headers, ...(encoding === undefined ? {} : { 'content-encoding': encoding }) }
  response.writeHead(answer.status, headers)
  response.flushHeaders()
  const end = Math.min(body.length, breakAfter, stallAfter)
  const step = chunkBytes ?? Math.max(end, 1)
  for (let at = 0; at < end && !response.destroyed; at += step) {
    await write(response, body.subarray(at, Math.min(at + step, end)))
    if (pauseMs > 0) await sleep(pauseMs)
  }
  if (breakAfter < body.length) response.destroy()
  else if (stallAfter >= body.length) response.end()
}

/** Resolves once the bytes are with the system, so that a connection that is destroyed then has sent them. */
function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', resolve)
    response.write(bytes, () => {
      response.off('close', resolve)
      resolve()
    })
  })
}

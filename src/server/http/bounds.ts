import { readFileSync } from 'node:fs'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { clearTimeout, setTimeout } from 'node:timers'
import type { FastifyReply } from 'fastify'
import { unavailable } from './errors.js'

/** Sockets at most, streams included. */
const MAX_CONNECTIONS = 4096

/** Descriptors that are left to the rest: SQLite, the journal, the processes that answer questions, the log. */
const OTHER_DESCRIPTORS = 128

/**
 * Bounds what clients can hold: how many connections there are, and how long a request and its answer may take,
 * however slowly they are sent and read. Streams have bounds of their own.
 */
export function boundRequests(server: Server, maxRequestMs: number): void {
  server.maxConnections = maxConnections(descriptorLimit())
  server.prependListener('request', (request, response) => {
    // A body is never read: an answer ends the connection, or a client would keep it for as long as its body drips.
    if (hasBody(request)) response.shouldKeepAlive = false
    const end = () => {
      if (!String(response.getHeader('content-type')).startsWith('text/event-stream'))
        request.socket.destroy()
    }
    const timer = setTimeout(end, maxRequestMs).unref()
    response.once('close', () => clearTimeout(timer))
  })
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0
}

/** The answers that are being read: slow clients would hold any number of great ones in memory. */
export class HeldAnswers {
  readonly #maxBytes: number
  /** How many read it, by answer: those who asked the same at once share one. */
  readonly #readers = new Map<Buffer, number>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** @throws HttpError 503 when there is no room for another answer. */
  hold(answer: Buffer, response: ServerResponse): void {
    const readers = this.#readers.get(answer) ?? 0
    if (readers === 0) {
      if (this.#bytes + answer.length > this.#maxBytes) {
        throw unavailable(`clients are reading ${this.#bytes} bytes of answers already`)
      }
      this.#bytes += answer.length
    }
    this.#readers.set(answer, readers + 1)
    response.once('close', () => this.#release(answer))
  }

  #release(answer: Buffer): void {
    const readers = (this.#readers.get(answer) ?? 1) - 1
    if (readers > 0) this.#readers.set(answer, readers)
    else {
      this.#readers.delete(answer)
      this.#bytes -= answer.length
    }
  }
}

/** How many connections leave enough descriptors to everything else. */
export function maxConnections(descriptors: number): number {
  return Math.min(MAX_CONNECTIONS, Math.max(8, descriptors - OTHER_DESCRIPTORS))
}

/** How many files this process may have open; node has raised it as far as it may. */
function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    // Not Linux: the usual default of the systems that are left.
    return 1024
  }
}

/** Calls back when whoever asked is gone before an answer was sent; at once if that was before. */
export type WhenLeft = (callback: () => void) => void

/** An AbortSignal would do, and costs 5 µs, a twentieth of all that a small answer takes. */
export function whenLeft({ raw }: FastifyReply): WhenLeft {
  return (callback) => {
    const leave = () => {
      if (!raw.writableEnded) callback()
    }
    if (raw.closed) leave()
    else raw.once('close', leave)
  }
}

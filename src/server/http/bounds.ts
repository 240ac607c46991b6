import { readFileSync } from 'node:fs'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers'
import type { FastifyReply } from 'fastify'
import { unavailable } from './errors.js'

/** The most sockets that are open at once, streams included. */
const MAX_CONNECTIONS = 4096

/** Descriptors left for everything else: SQLite, the journal, the query processes, the log. */
const OTHER_DESCRIPTORS = 128

/** How much of a refused body is read, and dropped, before its refusal is sent. */
const MAX_DROPPED_BYTES = 64 * 1024 * 1024

/** A refused body that brings less than this in a time of this length isn't waited for. */
const DROPPED_AT_LEAST = { bytes: 16 * 1024, ms: 500 }

/**
 * Bounds what clients can hold: how many connections are open, and how long a request and its
 * answer may take, however slowly they are sent and read. Streams have bounds of their own.
 *
 * @param takesBody whether the body of a request is read, in the time that Node gives a request.
 */
export function boundRequests(
  server: Server,
  maxRequestMs: number,
  takesBody: (request: IncomingMessage) => boolean,
): void {
  server.maxConnections = maxConnections(descriptorLimit())
  server.prependListener('request', (request, response) => {
    // Any other body is only dropped. The answer ends the connection, or a client could keep it as
    // long as its body drips.
    if (hasBody(request) && !takesBody(request)) response.shouldKeepAlive = false
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

/**
 * Reads the rest of a refused body and drops it. Many clients read no answer before they have sent
 * all, and see nothing but a broken connection if it is closed before.
 *
 * @returns whether the body has come to its end; otherwise it is too long, or comes too slowly.
 */
export async function dropBody(request: IncomingMessage): Promise<boolean> {
  if (request.complete || request.destroyed) return true
  let [bytes, earlier] = [0, 0]
  await new Promise<void>((resolve) => {
    const watch = setInterval(() => {
      if (bytes - earlier < DROPPED_AT_LEAST.bytes) stop()
      earlier = bytes
    }, DROPPED_AT_LEAST.ms)
    const stop = () => {
      clearInterval(watch)
      resolve()
    }
    for (const event of ['end', 'close', 'error']) request.once(event, stop)
    request.on('data', ({ length }: Buffer) => {
      bytes += length
      if (bytes > MAX_DROPPED_BYTES) stop()
    })
  })
  return request.complete
}

/** Bounds the answers that are being read: slow clients could hold many large ones in memory. */
export class HeldAnswers {
  readonly #maxBytes: number
  /** How many clients read each answer: those who ask the same at once share one. */
  readonly #readers = new Map<Buffer, number>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** @throws HttpError 503 if there is no room for another answer. */
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

/** Bounds the bodies that are being read or written: many large ones could fill the memory. */
export class HeldBodies {
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * Makes room for a body until its request is answered.
   *
   * @throws HttpError 503 if there is none.
   */
  hold(bytes: number, response: ServerResponse): void {
    if (this.#bytes + bytes > this.#maxBytes) {
      throw unavailable(`clients are sending ${this.#bytes} bytes already`)
    }
    this.#bytes += bytes
    response.once('close', () => {
      this.#bytes -= bytes
    })
  }
}

/** How many connections leave enough descriptors for everything else. */
export function maxConnections(descriptors: number): number {
  return Math.min(MAX_CONNECTIONS, Math.max(8, descriptors - OTHER_DESCRIPTORS))
}

/** How many files this process may have open; Node has raised the limit as far as it may. */
function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    // Not Linux: this is the usual default elsewhere.
    return 1024
  }
}

/** Calls back when the client leaves before its answer has been sent; at once if it has left. */
export type WhenLeft = (callback: () => void) => void

/** An AbortSignal would do, but costs 5 µs, a twentieth of all that a small answer takes. */
export function whenLeft({ raw }: FastifyReply): WhenLeft {
  return (callback) => {
    const leave = () => {
      if (!raw.writableEnded) callback()
    }
    if (raw.closed) leave()
    else raw.once('close', leave)
  }
}

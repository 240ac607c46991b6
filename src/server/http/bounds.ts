import { readFileSync } from 'node:fs'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers'
import type { FastifyReply } from 'fastify'
import { unavailable } from './errors.js'

/** How many sockets may be open at once, streams included. */
const MAX_CONNECTIONS = 4096

/** How many descriptors are left for SQLite, the journal, the query processes and the log. */
const OTHER_DESCRIPTORS = 128

/** How much of a refused body is read and dropped before the refusal is sent. */
const MAX_DROPPED_BYTES = 64 * 1024 * 1024

/** How many bytes of posted bodies may be in memory at once. */
const MAX_BODIES_BYTES = 64 * 1024 * 1024

/** The server stops waiting for a refused body if less than this much arrives in this time. */
const DROPPED_AT_LEAST = { bytes: 16 * 1024, ms: 500 }

/**
 * Limits how many connections clients can keep open, and for how long, however slowly they send
 * requests and read answers. Streams have limits of their own.
 *
 * @param takesBody whether the body of a request will be read. Node limits how long that may take.
 */
export function boundRequests(
  server: Server,
  maxRequestMs: number,
  takesBody: (request: IncomingMessage) => boolean,
): void {
  server.maxConnections = maxConnections(descriptorLimit())
  server.prependListener('request', (request, response) => {
    // Any other body is dropped. The connection ends with the answer, because otherwise a client
    // could keep it open by sending its body slowly.
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
 * Reads the rest of a refused body and drops it. Many clients don't read the answer before they
 * have sent everything. If the connection is closed earlier, all they see is that it broke.
 *
 * @returns whether the whole body was read; otherwise it is too long, or arrives too slowly.
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

/** Limits the answers in memory: slow clients could otherwise hold many large ones there. */
export class HeldAnswers {
  readonly #maxBytes: number
  /** How many clients are reading each answer. Clients that ask the same at once share one. */
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

/** Limits the posted bodies in memory: many large ones could fill it. */
export class HeldBodies {
  #bytes = 0

  /** Reserves room for a body until its request is answered. @throws HttpError 503 */
  hold(bytes: number, response: ServerResponse): void {
    if (this.#bytes + bytes > MAX_BODIES_BYTES) {
      throw unavailable(`clients are sending ${this.#bytes} bytes already`)
    }
    this.#bytes += bytes
    response.once('close', () => {
      this.#bytes -= bytes
    })
  }
}

/** Returns how many connections leave enough descriptors for everything else. */
export function maxConnections(descriptors: number): number {
  return Math.min(MAX_CONNECTIONS, Math.max(8, descriptors - OTHER_DESCRIPTORS))
}

/** Returns how many files this process may have open; Node has raised the limit if it may. */
function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    // There is no such file outside Linux, where this is the usual default.
    return 1024
  }
}

/** Calls back when a client disconnects before its answer was sent; at once if it already has. */
export type OnDisconnect = (callback: () => void) => void

/** An AbortSignal would do too, but costs 5 µs, a twentieth of all that a small answer takes. */
export function onDisconnect({ raw }: FastifyReply): OnDisconnect {
  return (callback) => {
    const leave = () => {
      if (!raw.writableEnded) callback()
    }
    if (raw.closed) leave()
    else raw.once('close', leave)
  }
}

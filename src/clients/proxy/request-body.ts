import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { askForUsage } from '../include-usage.js'
import { RequestMembers } from '../request-members.js'

/** A body of at most this many bytes is short: it's read as a whole before it's passed on. */
const MAX_WHOLE_BYTES = 1024 * 1024

/**
 * The body of a request, in bounded memory. A short body is kept as a whole. Of a long one only the
 * beginning is kept, and the members that may be logged are read as it passes.
 */
export class RequestBody {
  /** The body if it's short; null if it's passed on while it arrives. */
  readonly whole: Buffer | null
  readonly #request: IncomingMessage
  readonly #beginning: Buffer
  readonly #members: RequestMembers

  private constructor(request: IncomingMessage, beginning: Buffer, isWhole: boolean) {
    this.whole = isWhole ? beginning : null
    this.#request = request
    this.#beginning = beginning
    this.#members = new RequestMembers(request.headers['content-type'] ?? null)
    if (!isWhole) this.#members.push(beginning)
  }

  /**
   * Reads the body of a short request, or the beginning of a long one.
   *
   * @throws Error if the client leaves before that.
   */
  static read(request: IncomingMessage): Promise<RequestBody> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let bytes = 0
      const take = (chunk: Buffer) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes > MAX_WHOLE_BYTES) finish(false)
      }
      const end = () => finish(true)
      const finish = (isWhole: boolean) => {
        request.pause()
        request.off('data', take).off('end', end).off('error', reject)
        const beginning = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes)
        resolve(new RequestBody(request, beginning, isWhole))
      }
      request.on('data', take).on('end', end).on('error', reject)
    })
  }

  /**
   * Returns a short body changed so that it asks for usage in its stream; null if it should stay as
   * it is, or can't be read.
   */
  withUsageAskedFor(path: string): Buffer | null {
    if (this.whole === null || !isUtf8(this.whole)) return null
    try {
      const body = askForUsage(this.whole.toString(), path)
      return body === null ? null : Buffer.from(body)
    } catch {
      // It isn't JSON. Refusing it is left to the upstream.
      return null
    }
  }

  /** Yields all of a long body as it arrives, and then calls `onEnd`. */
  async *stream(onEnd: () => void): AsyncGenerator<Buffer> {
    yield this.#beginning
    yield* this.#rest()
    onEnd()
  }

  /** Reads the rest of a long body that can't be passed on, to find the members that are logged. */
  async readToEnd(): Promise<void> {
    if (this.whole !== null) return
    for await (const _ of this.#rest());
  }

  async *#rest(): AsyncGenerator<Buffer> {
    // If an upstream answers before it has read everything, the client's connection must stay open.
    for await (const chunk of this.#request.iterator({ destroyOnReturn: false })) {
      this.#members.push(chunk)
      yield chunk
    }
  }

  /** The whole body, or the members found so far in a long one, to describe the request by. */
  get readable(): Buffer | RequestMembers {
    return this.whole ?? this.#members
  }
}

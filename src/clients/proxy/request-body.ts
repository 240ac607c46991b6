import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { askForUsage } from '../include-usage.js'
import { RequestMembers } from '../request-members.js'

/** A body of at most this many bytes is read before it is passed on, in one piece. */
const WHOLE_BYTES = 1024 * 1024

/**
 * The body of a request, of which a bounded part is kept: all of a short one, and of a long one its
 * beginning and the members that may be logged, which are read as it passes.
 */
export class RequestBody {
  /** The body, if it is short; null if it is passed on while it comes. */
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
   * @throws Error if the client leaves before.
   */
  static read(request: IncomingMessage): Promise<RequestBody> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let bytes = 0
      const take = (chunk: Buffer) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes > WHOLE_BYTES) finish(false)
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
   * Gives a short body that asks for usage in its stream, in the client's place; null if there is
   * nothing to ask for, or it can't be read.
   */
  askingForUsage(path: string): Buffer | null {
    if (this.whole === null || !isUtf8(this.whole)) return null
    try {
      const body = askForUsage(this.whole.toString(), path)
      return body === null ? null : Buffer.from(body)
    } catch {
      // It isn't JSON, which is for the upstream to say.
      return null
    }
  }

  /** All of a long body, as it comes. */
  async *passing(onEnd: () => void): AsyncGenerator<Buffer> {
    yield this.#beginning
    yield* this.#rest()
    onEnd()
  }

  /** Reads the rest of a body that nobody takes, so that it can tell what it asked for. */
  async readToEnd(): Promise<void> {
    if (this.whole !== null) return
    for await (const _ of this.#rest());
  }

  async *#rest(): AsyncGenerator<Buffer> {
    // An upstream that answers before it has read everything must not cut off the client.
    for await (const chunk of this.#request.iterator({ destroyOnReturn: false })) {
      this.#members.push(chunk)
      yield chunk
    }
  }

  /** What says as much about the request as is known of the body so far. */
  get shown(): Buffer | RequestMembers {
    return this.whole ?? this.#members
  }
}

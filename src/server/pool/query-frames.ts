/** The kinds of messages between a pool and its processes. */
export const MESSAGE = { ready: 0, question: 1, answer: 2, refusal: 3 } as const

/** The length of the body in four bytes, the least significant first; then the kind of message. */
const HEADER_BYTES = 5

/** Frames one message for a pipe. */
export function frame(kind: number, body: Buffer): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES)
  header.writeUInt32LE(body.length)
  header.writeUInt8(kind, HEADER_BYTES - 1)
  return Buffer.concat([header, body])
}

/** Divides the bytes from a pipe into the messages that were framed. */
export class FrameReader {
  readonly #onMessage: (kind: number, body: Buffer) => void
  #chunks: Buffer[] = []
  #waitingBytes = 0

  constructor(onMessage: (kind: number, body: Buffer) => void) {
    this.#onMessage = onMessage
  }

  read(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#waitingBytes += chunk.length
    while (this.#waitingBytes >= HEADER_BYTES) {
      if (this.#first.length < HEADER_BYTES) this.#join()
      const end = HEADER_BYTES + this.#first.readUInt32LE(0)
      if (this.#waitingBytes < end) return
      // Chunks are joined only once the message is complete: a long one has hundreds of them.
      this.#join()
      const whole = this.#first
      this.#waitingBytes -= end
      this.#chunks = this.#waitingBytes === 0 ? [] : [whole.subarray(end)]
      this.#onMessage(whole.readUInt8(HEADER_BYTES - 1), whole.subarray(HEADER_BYTES, end))
    }
  }

  get #first(): Buffer {
    return this.#chunks[0] ?? Buffer.alloc(0)
  }

  #join(): void {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)]
  }
}

import { object } from './findings.js'
import { JsonScanner } from './json-scanner.js'
import { SseReader } from './sse.js'
import { wantedNode } from './wanted.js'

/** A longer event isn't the extra chunk, so it needn't wait for its end. */
const MAX_HELD_BYTES = 16 * 1024

const WANTED = wantedNode({ choices: [{ index: true }], usage: { prompt_tokens: true } })

const LF = 0x0a
const CR = 0x0d

/**
 * Takes the extra chunk with the usage out of a stream of chat completions, which a provider sends if
 * it was asked to by `stream_options.include_usage`: its `choices` are empty and it has a `usage`
 * (openai-openapi, ChatCompletionStreamOptions). All other bytes pass unchanged. Bytes of an event
 * that hasn't ended are held, at most 16 KiB.
 */
export class UsageChunkFilter {
  #held: Buffer[] = []
  #heldBytes = 0
  /** The event is too long to be the extra chunk, and its beginning has passed. */
  #isTooLong = false
  #isLineEmpty = true
  #isAfterCr = false
  /** A CR has ended the event; a LF that follows belongs to it. */
  #isEnding = false

  /** @returns the bytes that may pass on now: `bytes` itself if all of them may; empty if none may */
  push(bytes: Uint8Array): Uint8Array {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const hadHeld = this.#held.length > 0
    const passed: Buffer[] = []
    let from = 0
    for (let end = this.#eventEnd(buffer, 0); end !== -1; end = this.#eventEnd(buffer, from)) {
      this.#hold(buffer.subarray(from, end))
      if (this.#isTooLong || !isUsageChunk(this.#held)) passed.push(...this.#held)
      this.#letGo()
      from = end
    }
    this.#hold(buffer.subarray(from))
    if (this.#isTooLong) passed.push(...this.#held.splice(0))
    const passedBytes = passed.reduce((sum, part) => sum + part.length, 0)
    return passedBytes === bytes.length && !hadHeld ? bytes : Buffer.concat(passed)
  }

  /** @returns the bytes that are still held, of an event that has no end */
  end(): Uint8Array {
    const rest = Buffer.concat(this.#held)
    this.#letGo()
    return rest
  }

  #hold(bytes: Buffer): void {
    if (bytes.length > 0) this.#held.push(bytes)
    this.#heldBytes += bytes.length
    if (this.#heldBytes > MAX_HELD_BYTES) this.#isTooLong = true
  }

  #letGo(): void {
    this.#held = []
    this.#heldBytes = 0
    this.#isTooLong = false
  }

  /** Finds the empty line that ends an event. @returns the offset after it, or −1 */
  #eventEnd(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]
      if (this.#isEnding) {
        this.#isEnding = false
        this.#isAfterCr = false
        return byte === LF ? at + 1 : at
      }
      if (byte === CR) {
        this.#isEnding = this.#isLineEmpty
        this.#isAfterCr = true
        this.#isLineEmpty = true
      } else if (byte !== LF) {
        this.#isAfterCr = false
        this.#isLineEmpty = false
      } else if (this.#isAfterCr) {
        this.#isAfterCr = false
      } else if (this.#isLineEmpty) {
        return at + 1
      } else {
        this.#isLineEmpty = true
      }
    }
    return -1
  }
}

function isUsageChunk(event: Buffer[]): boolean {
  let isExtra = false
  const scanner = new JsonScanner(WANTED, (document) => {
    const { choices, usage } = object(document)
    isExtra = Array.isArray(choices) && choices.length === 0 && object(usage)['prompt_tokens'] !== undefined
  })
  const reader = new SseReader({
    beginEvent: () => scanner.reset(),
    data: (bytes, start, end) => scanner.push(bytes, start, end),
  })
  for (const part of event) reader.push(part)
  return isExtra
}

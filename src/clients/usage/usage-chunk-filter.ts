import { JsonScanner } from './json-scanner.js'
import { SseReader } from './sse.js'
import { object } from './values.js'
import { wantedNode } from './wanted-members.js'

/** A longer event isn't the extra chunk, so its bytes are passed on before its end. */
const MAX_HELD_BYTES = 16 * 1024

const WANTED = wantedNode({ choices: [{ index: true }], usage: { prompt_tokens: true } })

const LF = 0x0a
const CR = 0x0d

/**
 * Removes from a stream of chat completions the extra chunk that reports the usage. A provider
 * sends it if `stream_options.include_usage` asks for it; its `choices` are empty, and it has a
 * `usage` (openai-openapi, ChatCompletionStreamOptions). All other bytes pass unchanged. Of an
 * event that hasn't ended, at most 16 KiB are held back.
 */
export class UsageChunkFilter {
  #held: Buffer[] = []
  #heldBytes = 0
  /** Whether the event is too long to be the extra chunk, and its beginning has been passed on. */
  #isTooLong = false
  #isLineEmpty = true
  #isAfterCr = false
  /** Whether a CR has just ended the event. An LF that follows still belongs to it. */
  #isEnding = false

  /** Returns the bytes that can be passed on now: `bytes` itself, others, or none. */
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

  /** Returns the bytes that are still held back, which belong to an event without an end. */
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

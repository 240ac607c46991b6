import { createHash } from 'node:crypto'
import type { SegmentDigest } from './manifest.js'

const NEWLINE = 0x0a

/** Digests a segment's bytes as they pass, up to the last newline. */
export class SegmentDigester {
  readonly #read = createHash('sha256')
  #upToNewline = createHash('sha256')
  #readBytes = 0
  #bytes = 0
  #lines = 0
  readonly #prefixBytes: number
  #prefix = createHash('sha256')

  /** @param prefixBytes how much of the beginning is digested on its own. */
  constructor(prefixBytes = 0) {
    this.#prefixBytes = prefixBytes
  }

  add(chunk: Buffer): void {
    const prefixRest = this.#prefixBytes - this.#readBytes
    if (prefixRest > 0) this.#prefix.update(chunk.subarray(0, prefixRest))
    const end = chunk.lastIndexOf(NEWLINE) + 1
    if (end > 0) {
      this.#read.update(chunk.subarray(0, end))
      this.#upToNewline = this.#read.copy()
      this.#bytes = this.#readBytes + end
      for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) this.#lines++
    }
    this.#read.update(chunk.subarray(end))
    this.#readBytes += chunk.length
  }

  /** Of all bytes, those behind the last newline too. */
  get readBytes(): number {
    return this.#readBytes
  }

  digest(): SegmentDigest {
    return { bytes: this.#bytes, lines: this.#lines, sha256: this.#upToNewline.copy().digest('hex') }
  }

  /** Of the first `prefixBytes` bytes, or of all where there are less. */
  prefixSha256(): string {
    return this.#prefix.copy().digest('hex')
  }
}

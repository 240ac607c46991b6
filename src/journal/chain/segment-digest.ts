import { createHash } from 'node:crypto'

const NEWLINE = 0x0a

/** The digest of a segment's uncompressed bytes, as the manifest records it. */
export interface SegmentDigest {
  /** How many bytes there are; the last one is a newline. */
  bytes: number
  /** How many newlines those bytes hold, as `wc -l` counts them, including those of blank lines. */
  lines: number
  /** SHA-256 in lowercase hex, as `head -c BYTES | sha256sum` computes it. */
  sha256: string
}

/** Digests a segment's bytes as they pass, up to the last newline. */
export class SegmentDigester {
  readonly #read = createHash('sha256')
  #upToNewline = createHash('sha256')
  #readBytes = 0
  #bytes = 0
  #lines = 0
  readonly #prefixBytes: number
  #prefix = createHash('sha256')

  /** @param prefixBytes how many of the first bytes are also digested on their own. */
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

  /** How many bytes were added, including those after the last newline. */
  get readBytes(): number {
    return this.#readBytes
  }

  digest(): SegmentDigest {
    return { bytes: this.#bytes, lines: this.#lines, sha256: this.#upToNewline.copy().digest('hex') }
  }

  /** The SHA-256 of the first `prefixBytes` bytes, or of all if there are fewer. */
  prefixSha256(): string {
    return this.#prefix.copy().digest('hex')
  }
}

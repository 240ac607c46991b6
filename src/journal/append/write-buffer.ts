/** Events that `record` could not write yet, in order and bounded in bytes. */
export class WriteBuffer {
  readonly #maxBytes: number
  #lines: Buffer[] = []
  #bytes = 0
  #isDraining = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** How many events wait. */
  get length(): number {
    return this.#lines.length
  }

  /** False, and nothing kept, when the line would go over the bound. */
  push(line: Buffer): boolean {
    if (this.#bytes + line.length > this.#maxBytes) return false
    this.#lines.push(line)
    this.#bytes += line.length
    return true
  }

  /** Writes what waits, oldest first. When `write` throws, that line and all behind it stay; what it threw rises. */
  drain(write: (line: Buffer) => void): void {
    // A logger that is called by `write` may log through this journal.
    if (this.#isDraining) throw new Error('the buffer is being written')
    this.#isDraining = true
    let written = 0
    try {
      for (const line of this.#lines) {
        write(line)
        this.#bytes -= line.length
        written++
      }
    } finally {
      this.#isDraining = false
      this.#lines = this.#lines.slice(written)
    }
  }
}

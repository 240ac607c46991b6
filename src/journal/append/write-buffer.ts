/** The lines that `record` couldn't write yet, in order and bounded in bytes. */
export class WriteBuffer {
  readonly #maxBytes: number
  #lines: Buffer[] = []
  #bytes = 0
  #isDraining = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** How many lines are waiting. */
  get length(): number {
    return this.#lines.length
  }

  /** Keeps the line, or returns false if it would go over the bound. */
  push(line: Buffer): boolean {
    if (this.#bytes + line.length > this.#maxBytes) return false
    this.#lines.push(line)
    this.#bytes += line.length
    return true
  }

  /** Writes the lines, oldest first. If `write` throws, its line and all after it stay. */
  drain(write: (line: Buffer) => void): void {
    // A logger that `write` calls may itself append to this journal.
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

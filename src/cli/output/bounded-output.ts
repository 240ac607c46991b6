/** What is kept for a reader that doesn't read at the moment. */
const KEPT_BYTES = 256 * 1024
const RETRY_MS = 50
/** How long the end of the process waits for a reader that is only slow. */
const LAST_WORDS_MS = 500

const NEWLINE = Buffer.from('\n')

/** Takes bytes without ever waiting: returns how many it took, and throws EAGAIN when it takes none now. */
export interface Sink {
  write(bytes: Buffer): number
}

/** A text that waits, and for how many it stands: one that tells a loss, for all that were lost. */
interface Pending {
  bytes: Buffer
  count: number
}

/**
 * An output that can neither stop nor stall its program. Text that a reader is too slow for is kept up to a bound; what
 * comes beyond it, or what the output refuses, as a full disk does, is dropped and counted. The count is written once the
 * output takes text again.
 */
export class BoundedOutput {
  /** The line that tells how many texts were dropped. */
  describeLoss = (count: number): string => `${count} lines are missing here: this output didn't take them\n`
  readonly #openSink: () => Sink
  #sink: Sink | null = null
  #pending: Pending[] = []
  #pendingBytes = 0
  #dropped = 0
  /** A part of the first text has been taken. */
  #isBegun = false
  /** The rest of a text of which a part was taken has been dropped. */
  #isTorn = false
  #retry: NodeJS.Timeout | null = null

  /** @param openSink called at the first write. */
  constructor(openSink: () => Sink) {
    this.#openSink = openSink
  }

  write(text: string): void {
    if (this.#pending.length === 0) this.#tellLoss()
    if (this.#pendingBytes < KEPT_BYTES) this.#push(text, 1)
    else this.#dropped++
    this.#flush()
  }

  /** Waits for a reader that is only slow, for half a second at most. For the end of the process. */
  writeLastWords(): void {
    const deadline = performance.now() + LAST_WORDS_MS
    const never = new Int32Array(new SharedArrayBuffer(4))
    while (!this.#flush() && performance.now() < deadline) Atomics.wait(never, 0, 0, 5)
  }

  #tellLoss(): void {
    const count = this.#dropped
    if (count === 0) return
    this.#dropped = 0
    this.#push(this.describeLoss(count), count)
  }

  #push(text: string, count: number): void {
    const bytes = Buffer.from(text)
    this.#pending.push({ bytes, count })
    this.#pendingBytes += bytes.length
  }

  /** False while something is kept. */
  #flush(): boolean {
    try {
      this.#writePending()
      this.#tellLoss()
      this.#writePending()
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') {
        this.#retrySoon()
        return false
      }
      // Nobody is left to tell, except whoever reads later.
      this.#dropPending()
      return true
    }
  }

  #writePending(): void {
    this.#sink ??= this.#openSink()
    for (let first = this.#pending[0]; first !== undefined; first = this.#pending[0]) {
      const { length } = first.bytes
      if (this.#isTorn) first.bytes = Buffer.concat([NEWLINE, first.bytes])
      this.#isTorn = false
      const taken = this.#sink.write(first.bytes)
      this.#isBegun = taken < first.bytes.length
      first.bytes = first.bytes.subarray(taken)
      this.#pendingBytes -= length - first.bytes.length
      if (!this.#isBegun) this.#pending.shift()
    }
  }

  #dropPending(): void {
    this.#dropped += this.#pending.reduce((sum, { count }) => sum + count, 0)
    this.#isTorn = this.#isBegun
    this.#isBegun = false
    this.#pending = []
    this.#pendingBytes = 0
  }

  #retrySoon(): void {
    if (this.#retry !== null) return
    this.#retry = setTimeout(() => {
      this.#retry = null
      this.#flush()
    }, RETRY_MS)
    this.#retry.unref()
  }
}

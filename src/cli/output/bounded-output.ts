/** How much text is kept while a reader doesn't read. */
const KEPT_BYTES = 256 * 1024
const RETRY_MS = 50
/** How long the end of the process waits for a slow reader. */
const LAST_WORDS_MS = 500

const NEWLINE = Buffer.from('\n')

/** Returns at once how many bytes it took; throws EAGAIN if it takes none now. */
export interface Sink {
  write(bytes: Buffer): number
}

/** A text that waits, and how many it counts as: the line about a loss counts as all of them. */
interface Pending {
  bytes: Buffer
  count: number
}

/**
 * An output that can neither stop nor stall its program. If the reader is too slow, text is kept up
 * to a bound. Text beyond it, and text that the output refuses, as a full disk does, is dropped and
 * counted. The count is written once the output takes text again.
 */
export class BoundedOutput {
  /** Makes the line that says how many texts were dropped. */
  describeLoss = (count: number): string => `${count} lines are missing here: this output didn't take them\n`
  readonly #openSink: () => Sink
  #sink: Sink | null = null
  #pending: Pending[] = []
  #pendingBytes = 0
  #dropped = 0
  /** Whether a part of the first text has been taken. */
  #isBegun = false
  /** Whether a text was dropped after a part of it had been taken. */
  #isTorn = false
  #retry: NodeJS.Timeout | undefined

  /** @param openSink called at the first write. */
  constructor(openSink: () => Sink) {
    this.#openSink = openSink
  }

  write(text: string): void {
    if (this.#pending.length === 0) this.#reportLoss()
    if (this.#pendingBytes < KEPT_BYTES) this.#push(text, 1)
    else this.#dropped++
    this.#flush()
  }

  /** Waits up to half a second for a slow reader. To be called at the end of the process. */
  writeLastWords(): void {
    const deadline = performance.now() + LAST_WORDS_MS
    const never = new Int32Array(new SharedArrayBuffer(4))
    while (!this.#flush() && performance.now() < deadline) Atomics.wait(never, 0, 0, 5)
  }

  #reportLoss(): void {
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

  /** @returns false while something is kept. */
  #flush(): boolean {
    try {
      this.#writePending()
      this.#reportLoss()
      this.#writePending()
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') {
        this.#retry ??= setTimeout(() => {
          this.#retry = undefined
          this.#flush()
        }, RETRY_MS).unref()
        return false
      }
      // It can be reported only here, once the output takes text again.
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
}

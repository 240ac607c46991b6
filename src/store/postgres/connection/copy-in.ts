import type { Writable } from 'node:stream'

/**
 * A COPY into a table. It goes on until it is ended, and until then its connection takes no other
 * statement.
 */
export class CopyIn {
  readonly #stream: Writable
  readonly #asError: (error: unknown) => unknown
  /** The error that has ended it prematurely. */
  #error: unknown = null
  /**
   * Rejects the promise of whoever waits for the stream. If the server refuses the rows, the stream
   * itself never calls back.
   */
  #refuse: (error: unknown) => void = () => {}

  /** @param asError converts the driver's errors into those that callers get. */
  constructor(stream: Writable, asError: (error: unknown) => unknown) {
    this.#stream = stream
    this.#asError = asError
    stream.on('error', (error) => {
      this.#error ??= asError(error)
      this.#refuse(this.#error)
    })
  }

  /** Sends rows. Resolves when there is room for more; don't call it again before that. */
  async write(rows: Buffer): Promise<void> {
    await this.#until((done) => this.#stream.write(rows, done))
  }

  /** Resolves when the server has taken all rows. */
  async end(): Promise<void> {
    await this.#until((done) => this.#stream.end(done))
  }

  /**
   * Cancels the COPY, so that the connection can take the ROLLBACK of its transaction. Never
   * rejects.
   */
  async cancel(): Promise<void> {
    if (this.#error !== null) return
    await new Promise<void>((resolve) => {
      this.#stream.once('close', resolve)
      this.#stream.destroy()
    })
  }

  async #until(begin: (done: (error?: Error | null) => void) => void): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      if (this.#error !== null) {
        reject(this.#error)
        return
      }
      this.#refuse = reject
      begin((error) => (error == null ? resolve() : reject(this.#asError(error))))
    })
  }
}

import type { Writable } from 'node:stream'

/**
 * A COPY into a table that goes on until it is ended: meanwhile its connection takes no other
 * statement.
 */
export class CopyIn {
  readonly #stream: Writable
  readonly #asError: (error: unknown) => unknown
  /** What has ended it before its time. */
  #error: unknown = null
  /** Rejects what waits for the stream, which leaves it waiting when the server has refused. */
  #refuse: (error: unknown) => void = () => {}

  /** @param asError makes what callers get of the driver's errors. */
  constructor(stream: Writable, asError: (error: unknown) => unknown) {
    this.#stream = stream
    this.#asError = asError
    stream.on('error', (error) => {
      this.#error ??= asError(error)
      this.#refuse(this.#error)
    })
  }

  /** Sends rows. Resolves when there is room for more; call it once at a time. */
  async write(rows: Buffer): Promise<void> {
    await this.#until((done) => this.#stream.write(rows, done))
  }

  /** Resolves when the server has taken all rows. */
  async end(): Promise<void> {
    await this.#until((done) => this.#stream.end(done))
  }

  /** Breaks it off, so that the connection can take the ROLLBACK of its transaction. Never rejects. */
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

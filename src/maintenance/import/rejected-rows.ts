import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs'
import type { FoundRow } from './imported-row.js'

/**
 * Keeps rejected rows as they are in their source, so that they can be corrected and imported by
 * themselves. The file is created with the first of them.
 */
export class RejectedRows {
  readonly #path: string | undefined
  readonly #heading: () => string
  #fd: number | null = null

  /**
   * @param path a new file; undefined: nothing is kept.
   * @param heading returns the line to write before all rows; empty: none.
   */
  constructor(path: string | undefined, heading: () => string) {
    this.#path = path
    this.#heading = heading
  }

  /** @throws the file system's error. */
  add(row: FoundRow): void {
    if (this.#path === undefined) return
    if (this.#fd === null) {
      // Only for its owner: it may contain whole conversations.
      this.#fd = openSync(this.#path, 'wx', 0o600)
      this.#write(this.#heading())
    }
    this.#write(row.source())
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd)
    this.#fd = null
  }

  /** Removes the file, since nothing was imported. */
  discard(): void {
    if (this.#fd === null || this.#path === undefined) return
    this.close()
    rmSync(this.#path)
  }

  #write(text: string): void {
    if (this.#fd !== null && text !== '') writeFileSync(this.#fd, text.endsWith('\n') ? text : `${text}\n`)
  }
}

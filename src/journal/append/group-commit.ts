// setImmediate is imported, because a caller's fake timers would replace the global function, and
// then no flush would ever resolve.
import { setImmediate } from 'node:timers'

/**
 * Lets one sync serve all callers that wait. A call made while a sync runs joins the next one,
 * because its bytes may have been written after that sync began.
 */
export class GroupCommit {
  readonly #sync: () => Promise<void>
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null

  constructor(sync: () => Promise<void>) {
    this.#sync = sync
  }

  /** Settles the same way as a sync that begins after this call. */
  join(): Promise<void> {
    this.#next ??= this.#syncAfter(this.#running)
    return this.#next
  }

  async #syncAfter(previous: Promise<void> | null): Promise<void> {
    // The callers of the previous sync get its error.
    if (previous !== null) await previous.catch(() => {})
    // Those callers may append and join before the next sync starts.
    await new Promise((resolve) => setImmediate(resolve))
    this.#running = this.#next
    this.#next = null
    try {
      await this.#sync()
    } finally {
      this.#running = null
    }
  }
}

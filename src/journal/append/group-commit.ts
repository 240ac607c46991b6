// Not the global one, which tests replace: with fake timers no flush and no close would ever resolve.
import { setImmediate } from 'node:timers'

/**
 * One sync serves all who wait. A call that comes while a sync runs isn't covered by it (its bytes may have been
 * written after the sync began), so it joins the next one.
 */
export class GroupCommit {
  readonly #sync: () => Promise<void>
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null

  constructor(sync: () => Promise<void>) {
    this.#sync = sync
  }

  /** Resolves, or rejects, with a sync that began after this call. */
  join(): Promise<void> {
    if (this.#next !== null) return this.#next
    const previous = this.#running
    this.#next = (previous === null ? nextTurn() : previous.then(nothing, nothing).then(nextTurn)).then(
      () => {
        this.#running = this.#next
        this.#next = null
        return this.#sync().finally(() => {
          this.#running = null
        })
      },
    )
    return this.#next
  }
}

/** Callers that a finished sync has woken get to append and join before the next one starts. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function nothing(): void {}

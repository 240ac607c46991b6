import { watch } from 'chokidar'

/** The safety poll: how long a look can be late when the watcher is mute. */
const MAX_DELAY_MS = 1000
const MIN_DELAY_MS = 5

/**
 * How long to wait for a hint before looking anyway: as long as nothing has come, between 5 ms and a second. So the
 * last line of a burst is found soon even where its change was never signalled, and an idle projector looks once a
 * second.
 */
export function delayBeforeLook(msSinceLastLine: number): number {
  return Math.min(MAX_DELAY_MS, Math.max(MIN_DELAY_MS, msSinceLastLine))
}

/**
 * When to look again. The watcher is only a hint: any event of chokidar means "look now", and a timer looks where no
 * hint comes. Measured with chokidar 5: `change` is throttled for 50 ms without a trailing call, so the last append of
 * a burst is never signalled by it; `raw` isn't throttled, p50 0.15 to 0.4 ms.
 */
export class WakeUp {
  readonly #watcher: ReturnType<typeof watch>
  #isHinted = false
  #wake: (() => void) | null = null

  /** @param onError hears of a watcher that failed (inotify limits): the timer goes on without it. */
  constructor(directory: string, onError: (error: unknown) => void) {
    // Only the directory itself: its own watch reports writes to the files in it, and one for each of thousands of
    // segments would use up the user's inotify watches.
    this.#watcher = watch(directory, { ignoreInitial: true, depth: 0, ignored: (path) => path !== directory })
    this.#watcher.on('all', () => this.hint())
    this.#watcher.on('raw', () => this.hint())
    this.#watcher.on('error', onError)
  }

  /** Something may have come. */
  hint(): void {
    this.#isHinted = true
    this.#wake?.()
  }

  /** Resolves at a hint that has come since the last call, or after the delay. */
  async wait(delayMs: number): Promise<void> {
    if (!this.#isHinted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, delayMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = null
    }
    this.#isHinted = false
  }

  async close(): Promise<void> {
    this.hint()
    await this.#watcher.close()
  }
}

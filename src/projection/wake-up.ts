// Imported, because tests replace the global ones, and with fake timers no line would ever come.
import { clearTimeout, setTimeout } from 'node:timers'
import { type FSWatcher, watch } from 'chokidar'

/** How late a look can be if the watcher says nothing. */
const MAX_DELAY_MS = 1000
const MIN_DELAY_MS = 5

/**
 * How long to wait for a hint before looking anyway: as long as no line has come, but between 5 ms
 * and a second. So the last line of a burst is found soon although its change was never signalled,
 * and an idle projector looks once a second.
 */
export function delayBeforeLook(msSinceLastLine: number): number {
  return Math.min(MAX_DELAY_MS, Math.max(MIN_DELAY_MS, msSinceLastLine))
}

/**
 * Tells when to look again. The watcher only gives hints: any event of chokidar means "look now",
 * and a timer looks if no hint comes. Measured with chokidar 5: `change` is throttled for 50 ms
 * without a trailing call, so it never signals the last append of a burst; `raw` isn't throttled
 * and takes 0.15 to 0.4 ms in the median.
 */
export class WakeUp {
  #watcher: FSWatcher | null = null
  #isHinted = false
  #isEnded = false
  #heedsHints = false
  #wake: (() => void) | null = null

  /**
   * Begins to watch a directory, which must exist, instead of the one that was watched before.
   *
   * @param onError called if the watcher fails (inotify limits): the timer goes on without it.
   */
  watch(directory: string, onError: (error: unknown) => void): void {
    void this.#watcher?.close()
    // Only the directory itself: its own watch reports writes to the files in it, and a watch for
    // each of thousands of segments would use up the user's inotify watches.
    this.#watcher = watch(directory, { ignoreInitial: true, depth: 0, ignored: (path) => path !== directory })
    this.#watcher.on('all', () => this.hint())
    this.#watcher.on('raw', () => this.hint())
    this.#watcher.on('error', onError)
  }

  /** Ends the watch, until the next one begins. */
  async unwatch(): Promise<void> {
    await this.#watcher?.close()
    this.#watcher = null
  }

  /** Says that a line may have come. */
  hint(): void {
    this.#isHinted = true
    if (this.#heedsHints) this.#wake?.()
  }

  /** Resolves at a hint, at once if one has come since the last call, or after the delay. */
  async wait(delayMs: number): Promise<void> {
    this.#heedsHints = true
    if (!this.#isHinted) await this.#sleep(delayMs)
    this.#heedsHints = false
    this.#isHinted = false
  }

  /** Resolves after the delay: a hint must not make a back-off shorter. */
  async pause(delayMs: number): Promise<void> {
    if (!this.#isEnded) await this.#sleep(delayMs)
  }

  /** Ends every wait and pause, those to come included. */
  end(): void {
    this.#isEnded = true
    this.#isHinted = true
    this.#wake?.()
  }

  async close(): Promise<void> {
    this.end()
    await this.#watcher?.close()
  }

  async #sleep(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = null
  }
}

// The timers are imported, because tests replace the global functions with fake ones, and then no
// look would ever happen.
import { clearTimeout, setTimeout } from 'node:timers'
import { type FSWatcher, watch } from 'chokidar'

/** The longest time between two looks if the watcher reports nothing. */
const MAX_DELAY_MS = 1000
const MIN_DELAY_MS = 5

/**
 * Returns how long to wait for a hint before looking anyway: as much time as has passed since the
 * last line, but at least 5 ms and at most a second. So the last line of a burst is found soon even
 * if its change was never signalled, and an idle projector looks once a second.
 */
export function delayBeforeLook(msSinceLastLine: number): number {
  return Math.min(MAX_DELAY_MS, Math.max(MIN_DELAY_MS, msSinceLastLine))
}

/**
 * Decides when to look again. The watcher only gives hints: any event from chokidar means "look
 * now", and a timer makes the projector look if no hint comes. Measured with chokidar 5: `change`
 * is throttled for 50 ms without a trailing call, so it never signals the last append of a burst;
 * `raw` isn't throttled and takes 0.15 to 0.4 ms in the median.
 */
export class WakeUp {
  #watcher: FSWatcher | null = null
  #isHinted = false
  #isEnded = false
  #heedsHints = false
  #wake: (() => void) | null = null

  /**
   * Begins to watch a directory, which must exist, in place of the one that was watched before.
   *
   * @param onError called if the watcher fails, as when inotify's limits are reached; the timer
   *   goes on without it.
   */
  watch(directory: string, onError: (error: unknown) => void): void {
    void this.#watcher?.close()
    // Watches only the directory itself, whose own watch reports writes to the files in it. A watch
    // for each of thousands of segments would use up the user's inotify watches.
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

  /** Notes that a line may have come, and wakes the projector if it waits for that. */
  hint(): void {
    this.#isHinted = true
    if (this.#heedsHints) this.#wake?.()
  }

  /**
   * Resolves at a hint or after the delay, and immediately if a hint has come since the last call.
   */
  async wait(delayMs: number): Promise<void> {
    this.#heedsHints = true
    if (!this.#isHinted) await this.#sleep(delayMs)
    this.#heedsHints = false
    this.#isHinted = false
  }

  /** Resolves after the delay. A hint doesn't make it shorter, since the delay is a back-off. */
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

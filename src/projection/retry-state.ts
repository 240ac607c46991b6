import type { ProjectorSession } from './projector-session.js'
import { isAboutDatabase, retryDelay, withJitter } from './transient-errors.js'

const TEXTS = {
  database: {
    begin: "The database can't be written to for now; events still go to the journal: trying again",
    end: 'The database takes writes again',
  },
  journal: { begin: "The journal can't be read for now: trying again", end: 'The journal can be read again' },
}

/**
 * Counts a projector's failures in a row, by which it backs off. It logs a reason unless it is the
 * same as the last one, and says once that the failures have ended.
 */
export class RetryState {
  readonly #session: Pick<ProjectorSession, 'logger' | 'onWaiting'>
  #failures = 0
  #said = ''
  #kind: keyof typeof TEXTS = 'database'

  constructor(session: Pick<ProjectorSession, 'logger' | 'onWaiting'>) {
    this.#session = session
  }

  /**
   * Call it after an attempt that failed.
   *
   * @returns how many milliseconds to wait before the next attempt.
   */
  failed(error: unknown): number {
    const reason = error instanceof Error ? error : new Error(String(error))
    this.#failures++
    this.#kind = isAboutDatabase(reason) ? 'database' : 'journal'
    const delay = withJitter(retryDelay(this.#failures), Math.random())
    if (reason.message !== this.#said) {
      this.#said = reason.message
      this.#session.logger.warn({ err: reason, retry_in_ms: delay }, TEXTS[this.#kind].begin)
    }
    this.#session.onWaiting(reason)
    return delay
  }

  /** Call it after an attempt that succeeded. */
  succeeded(): void {
    if (this.#failures === 0) return
    const failures = this.#failures
    this.#failures = 0
    this.#said = ''
    this.#session.logger.info({ failures }, TEXTS[this.#kind].end)
    this.#session.onWaiting(null)
  }
}

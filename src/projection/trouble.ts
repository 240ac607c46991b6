import type { ProjectorLogger, ProjectorOptions } from './options.js'
import { isAboutDatabase, retryDelay } from './retry.js'

interface TroubleOptions {
  logger: ProjectorLogger
  onWaiting: NonNullable<ProjectorOptions['onWaiting']>
}

const TEXTS = {
  database: {
    begin: 'The database refuses: the journal goes on, trying again',
    end: 'The database takes writes again',
  },
  journal: { begin: 'The journal can’t be read for now: trying again', end: 'The journal can be read again' },
}

/** What a projector waits for: said once for each reason, and once when it is over. */
export class Trouble {
  readonly #options: TroubleOptions
  #failures = 0
  #said = ''
  #kind: keyof typeof TEXTS = 'database'

  constructor(options: TroubleOptions) {
    this.#options = options
  }

  /** @returns how long to wait before the next attempt. */
  add(error: unknown): number {
    const reason = error instanceof Error ? error : new Error(String(error))
    this.#failures++
    this.#kind = isAboutDatabase(reason) ? 'database' : 'journal'
    const delay = retryDelay(this.#failures)
    if (reason.message !== this.#said) {
      this.#said = reason.message
      this.#options.logger.warn({ err: reason, retry_in_ms: delay }, TEXTS[this.#kind].begin)
    }
    this.#options.onWaiting(reason)
    return delay
  }

  /** An attempt has succeeded. @returns what was waited for; null when nothing was. */
  end(): keyof typeof TEXTS | null {
    if (this.#failures === 0) return null
    const failures = this.#failures
    this.#failures = 0
    this.#said = ''
    this.#options.logger.info({ failures }, TEXTS[this.#kind].end)
    this.#options.onWaiting(null)
    return this.#kind
  }
}

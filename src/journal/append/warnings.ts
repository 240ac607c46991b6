import { shownText } from '../../events/describe-value.js'
import type { JournalLogger } from '../logger.js'

const BURST = 20
const PER_SECOND = 1

/**
 * Logs warnings at a bounded rate: twenty at once, then one a second, with the number of those that
 * were left out. A full disk under a busy gateway must not fill the log as well.
 */
export class BoundedWarnings {
  readonly #logger: JournalLogger
  #allowance = BURST
  #refilledAt = 0
  #suppressed = 0

  constructor(logger: JournalLogger) {
    this.#logger = logger
  }

  warn(now: number, fields: object, message: string): void {
    if (now < this.#refilledAt || now - this.#refilledAt > BURST * 1000) this.#allowance = BURST
    else this.#allowance = Math.min(BURST, this.#allowance + ((now - this.#refilledAt) / 1000) * PER_SECOND)
    this.#refilledAt = now
    if (this.#allowance < 1) {
      this.#suppressed++
      return
    }
    this.#allowance--
    const suppressed = this.#suppressed
    this.#suppressed = 0
    quietly(() => this.#logger.warn(suppressed === 0 ? fields : { ...fields, suppressed }, message))
  }
}

/** These bounds keep a caller that makes up names from filling the log or the memory. */
const MAX_NAMES = 100
const MAX_NAME_LENGTH = 256

/**
 * Logs only one warning for each name, such as that of an event's unknown member. The log field is
 * always `member`, even if the name is that of something else, such as an API.
 */
export class OneTimeWarnings {
  readonly #logger: JournalLogger
  readonly #warned = new Set<string>()

  constructor(logger: JournalLogger) {
    this.#logger = logger
  }

  warn(name: string, message: string): void {
    const key = name.length <= MAX_NAME_LENGTH ? name : shownText(name)
    if (this.#warned.has(key) || this.#warned.size >= MAX_NAMES) return
    this.#warned.add(key)
    quietly(() => this.#logger.warn({ member: shownText(name) }, message))
  }
}

/** Calls a logger and ignores what it throws. */
export function quietly(log: () => void): void {
  try {
    log()
  } catch {
    // Logging never fails a request.
  }
}

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

/** A caller that makes names up mustn't be able to fill the log or the memory. */
const MAX_MEMBERS = 100
const MAX_MEMBER_LENGTH = 256

/** Logs one warning for each name of a member that isn't as it should be. */
export class MemberWarnings {
  readonly #logger: JournalLogger
  readonly #warned = new Set<string>()

  constructor(logger: JournalLogger) {
    this.#logger = logger
  }

  warn(member: string, message: string): void {
    const name = member.length <= MAX_MEMBER_LENGTH ? member : shownText(member)
    if (this.#warned.has(name) || this.#warned.size >= MAX_MEMBERS) return
    this.#warned.add(name)
    quietly(() => this.#logger.warn({ member: shownText(member) }, message))
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

import type { Connection } from './connection/connection.js'

/** The length of the beginning of a timestamp that names its month. */
const MONTH_LENGTH = 7

/** Knows which months of `requests` have partitions, and has those made that are missing. */
export class Partitions {
  readonly #connection: Connection
  readonly #seen = new Set<string>()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Timestamps of months of which it isn't known that they have partitions, one of each. */
  unknown(timestamps: Iterable<string>): string[] {
    const unknown = new Map<string, string>()
    // Mostly the next one is of the same month.
    let last = '-'
    for (const timestamp of timestamps) {
      if (timestamp.startsWith(last)) continue
      last = timestamp.slice(0, MONTH_LENGTH)
      if (!this.#seen.has(last)) unknown.set(last, timestamp)
    }
    return [...unknown.values()]
  }

  /**
   * Has the partition of a timestamp's month made, which `migrate` has mostly done ahead. A month
   * without one isn't a fault: its rows stand among the others until the next `migrate`.
   */
  async make(timestamp: string): Promise<void> {
    await this.#connection.run('SELECT make_requests_partition($1)', timestamp)
    this.#seen.add(timestamp.slice(0, MONTH_LENGTH))
  }

  /** Forgets what a rollback may have taken back. */
  forget(): void {
    this.#seen.clear()
  }
}

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

  /**
   * Has the months' partitions made, which `migrate` has mostly done ahead. A month without one
   * isn't a fault: its rows stand among the others until the next `migrate`.
   */
  async make(timestamps: readonly string[]): Promise<void> {
    for (const timestamp of timestamps) {
      const month = timestamp.slice(0, MONTH_LENGTH)
      if (this.#seen.has(month)) continue
      await this.#connection.run('SELECT make_requests_partition($1)', timestamp)
      this.#seen.add(month)
    }
  }

  /** Forgets what a rollback may have taken back. */
  forget(): void {
    this.#seen.clear()
  }
}

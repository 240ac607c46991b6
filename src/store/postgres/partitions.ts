import type { Connection } from './connection/connection.js'
import { isLockTimeout, isPartitionMet } from './connection/errors.js'

/** The length of the beginning of a timestamp that names its month. */
const MONTH_LENGTH = 7

/**
 * How long a new partition may wait for others to be done with `requests_other`, which everybody
 * else waits for meanwhile. It is shorter than the server takes to look for a deadlock.
 */
const ATTACH_WAIT_MS = 500

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
   * without one isn't a fault: its rows stand among the others until the next `migrate`. So do those
   * of a month whose partition would have to wait for a long question, or for a replay. To be
   * called in a transaction.
   */
  async make(timestamp: string): Promise<void> {
    const connection = this.#connection
    const month = timestamp.slice(0, MONTH_LENGTH)
    this.#seen.add(month)
    const found = await connection.one<{ is_there: boolean; lock_timeout: string }>(
      `SELECT to_regclass($1) IS NOT NULL AS is_there, current_setting('lock_timeout') AS lock_timeout`,
      `requests_${month.replace('-', '_')}`,
    )
    if (found?.is_there) return
    await connection.exec('SAVEPOINT partition')
    try {
      // Whoever has it makes a partition, perhaps this one, and is done soon.
      await connection.exec(
        `SELECT pg_advisory_xact_lock(hashtext('request-journal partitions'), hashtext(current_schema()))`,
      )
      await connection.exec(`SET LOCAL lock_timeout = ${ATTACH_WAIT_MS}`)
      await connection.run('SELECT make_requests_partition($1)', timestamp)
      await connection.exec(`SET LOCAL lock_timeout = '${found?.lock_timeout ?? 0}'`)
    } catch (error) {
      // Rows of this month have just come among the others, or may come there.
      if (!isLockTimeout(error) && !isPartitionMet(error)) throw error
      await connection.exec('ROLLBACK TO SAVEPOINT partition')
    }
    await connection.exec('RELEASE SAVEPOINT partition')
  }

  /** Forgets what a rollback may have taken back. */
  forget(): void {
    this.#seen.clear()
  }
}

import type { Connection } from './connection/connection.js'
import { isLockTimeout, isPartitionConflict } from './connection/errors.js'

/** The length of the prefix of a timestamp that names its month. */
const MONTH_LENGTH = 7

/**
 * How long a new partition may wait until others are done with `requests_other`. Meanwhile
 * everybody else waits for that table. It is shorter than the time after which the server looks for
 * a deadlock.
 */
const ATTACH_WAIT_MS = 500

/** Knows which months of `requests` have partitions, and makes missing ones. */
export class Partitions {
  readonly #connection: Connection
  readonly #seen = new Set<string>()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Returns a timestamp of each month that isn't known to have a partition. */
  unknown(timestamps: Iterable<string>): string[] {
    const unknown = new Map<string, string>()
    // Usually the next one is of the same month.
    let last = '-'
    for (const timestamp of timestamps) {
      if (timestamp.startsWith(last)) continue
      last = timestamp.slice(0, MONTH_LENGTH)
      if (!this.#seen.has(last)) unknown.set(last, timestamp)
    }
    return [...unknown.values()]
  }

  /**
   * Makes the partition of a timestamp's month. Usually `migrate` has made it already. A month
   * without a partition isn't a fault: its rows are kept in `requests_other` until the next
   * `migrate`. The same goes for a month whose partition would have to wait for a long query, or
   * for a replay. Call this in a transaction.
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
      // Whoever holds this lock makes a partition, perhaps this one, and is done soon.
      await connection.exec(
        `SELECT pg_advisory_xact_lock(hashtext('request-journal partitions'), hashtext(current_schema()))`,
      )
      await connection.exec(`SET LOCAL lock_timeout = ${ATTACH_WAIT_MS}`)
      await connection.run('SELECT make_requests_partition($1)', timestamp)
      await connection.exec(`SET LOCAL lock_timeout = '${found?.lock_timeout ?? 0}'`)
    } catch (error) {
      // Rows of this month have just been inserted into `requests_other`, or others keep it locked.
      if (!isLockTimeout(error) && !isPartitionConflict(error)) throw error
      await connection.exec('ROLLBACK TO SAVEPOINT partition')
    }
    await connection.exec('RELEASE SAVEPOINT partition')
  }

  /** Forgets what a rollback may have taken back. */
  forget(): void {
    this.#seen.clear()
  }
}

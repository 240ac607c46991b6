import type { Logger } from '../journal/logger.js'

export type ProjectorLogger = Logger

export interface ProjectorOptions {
  /** The journal's directory. */
  journal: string
  /**
   * The database file, created if it doesn't exist, and migrated if it is older; or the
   * `postgres://` address of a database that `request-journal migrate` has prepared.
   */
  database: string
  /**
   * The schema of the tables in PostgreSQL.
   * @default 'request_journal'
   */
  schema?: string | undefined
  /**
   * The names of the labels to keep roll-ups by, at most eight. They are chosen while the database
   * is empty, later by a replay.
   * @default those of the database, at first `tier`
   */
  rollupLabels?: readonly string[] | undefined
  /**
   * Whether to go on, now and in later runs, without segments that were projected, sealed or
   * archived, and are gone without having been pruned. Their rows stay.
   * @default false
   */
  allowMissing?: boolean | undefined
  /**
   * Whether PostgreSQL keeps the journal's bytes, compressed, beside the rows: `restore` gives them
   * back to a host that has lost its disk. SQLite never keeps them.
   * @default true
   */
  chunks?: boolean | undefined
  /** @default none: nothing is logged */
  logger?: ProjectorLogger | undefined
  /**
   * Called with the reason when the projector has to wait for journal, database or system, and with
   * null once it goes on.
   */
  onWaiting?: ((reason: Error | null) => void) | undefined
  /**
   * Called at each look and between two pieces of its work: about once a second while nothing is to
   * be done, and as far apart as the retries while it waits. It is what feeds a watchdog.
   */
  onAlive?: (() => void) | undefined
}

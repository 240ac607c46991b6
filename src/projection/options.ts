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
  /** The schema of the tables in PostgreSQL. @default 'request_journal' */
  schema?: string | undefined
  /**
   * The names of the labels to keep roll-ups by, at most eight. They are chosen while the database
   * is empty; later only a replay can change them.
   * @default those of the database, at first `tier`
   */
  rollupLabels?: readonly string[] | undefined
  /**
   * Whether to go on, now and in later runs, without segments that were projected, sealed or
   * archived and have disappeared without being pruned. Their rows stay.
   * @default false
   */
  allowMissing?: boolean | undefined
  /**
   * Whether PostgreSQL keeps the journal's bytes, compressed, beside the rows, so that `restore`
   * can give them back to a host that has lost its disk. SQLite never keeps them.
   * @default true
   */
  chunks?: boolean | undefined
  /** @default nothing is logged */
  logger?: ProjectorLogger | undefined
  /**
   * Called with the reason when the projector has to wait for the journal, the database or the
   * system, and with null once it goes on.
   */
  onWaiting?: ((reason: Error | null) => void) | undefined
  /**
   * Called at each look and after each piece of work: about once a second while there is nothing to
   * do, and as far apart as the retries while the projector waits. It can feed a watchdog.
   */
  onAlive?: (() => void) | undefined
}

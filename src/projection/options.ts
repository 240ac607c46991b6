import type { Logger } from '../journal/logger.js'

export type ProjectorLogger = Logger

export interface ProjectorOptions {
  /** The journal's directory. */
  journal: string
  /** The database file, created and migrated when it is missing. */
  database: string
  /**
   * Names of labels to keep roll-ups by, at most eight; they are chosen while the database is empty, later by a replay.
   * @default those of the database, at first `tier`
   */
  rollupLabels?: readonly string[] | undefined
  /**
   * Go on, now and in later runs, without segments that were projected, sealed or archived, and are gone without having
   * been pruned. What was projected of them stays.
   * @default false
   */
  allowMissing?: boolean | undefined
  /** @default nothing is logged */
  logger?: ProjectorLogger | undefined
  /** Called when the projector has to wait for journal, database or system, and with null once it goes on. */
  onWaiting?: ((reason: Error | null) => void) | undefined
}

/**
 * The reasons why projecting must stop, since going on would write wrong data. Each message says
 * what was found, what was expected and what to do.
 *
 * - `OTHER_JOURNAL`: the database was projected from another journal.
 * - `SEGMENT_MISSING`: a segment that was projected, sealed or archived is gone.
 * - `SEGMENT_TRUNCATED`: a segment is shorter than it was when it was last projected, sealed or
 *   archived.
 * - `SEGMENT_REPLACED`: a segment is neither the file that was read nor a faithful copy of it, or
 *   isn't what was sealed or archived.
 * - `SEGMENT_SYNC_FAILED`: a segment couldn't be synced, so what was read from it may not be on
 *   disk.
 * - `PROJECTION_OUTDATED`: this version folds events differently from the one that filled the
 *   database.
 * - `OTHER_ROLLUP_LABELS`: the roll-ups are kept by labels other than those asked for.
 * - `POSITION_MOVED`: another program has moved a position since it was read.
 * - `DATABASE_REMOVED`: the database file was removed or replaced while the projector was using it.
 * - `DATABASE_AWAY`: the database's folder can't be found. This may be temporary, so a projector
 *   that follows the journal waits for it.
 */
export const PROJECTION_ERROR_CODES = [
  'OTHER_JOURNAL',
  'SEGMENT_MISSING',
  'SEGMENT_TRUNCATED',
  'SEGMENT_REPLACED',
  'SEGMENT_SYNC_FAILED',
  'PROJECTION_OUTDATED',
  'OTHER_ROLLUP_LABELS',
  'POSITION_MOVED',
  'DATABASE_REMOVED',
  'DATABASE_AWAY',
] as const

export type ProjectionErrorCode = (typeof PROJECTION_ERROR_CODES)[number]

/** Thrown when projecting must stop. `path` is the segment or the database that is the reason. */
export class ProjectionError extends Error {
  override readonly name = 'ProjectionError'
  readonly code: ProjectionErrorCode
  readonly path: string

  constructor(code: ProjectionErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(`${path}: ${message}`, options?.cause === undefined ? undefined : options)
    this.code = code
    this.path = path
  }
}

import type { JournalEvent } from '../events/schema.js'
import type { Database } from '../storage/database.js'
import {
  addCounts,
  advancePosition,
  emptyCounts,
  insertPosition,
  type SegmentCounts,
  type SegmentPosition,
} from '../storage/positions.js'
import type { Place, ProjectionTables, RejectedLine } from '../storage/projection-tables.js'
import type { RollupTables } from '../storage/rollup-tables.js'
import type { DecodedPart, DecodedSegment, LineTarget } from './decoded-segment.js'
import { ProjectionError } from './errors.js'
import { RequestsFold } from './requests.js'
import { RollupChanges } from './rollups.js'
import { positionBehind } from './segment-check.js'
import { TokenRatioChanges } from './token-ratios.js'
import type { UnjournaledRequests } from './unjournaled-requests.js'

/**
 * Bytes of lines in one transaction, so that a batch grows with the backlog up to about 100,000 rows. Measured: with
 * random UUIDs and the two indexes 3,000 rows a transaction fall to 29,000 rows a second as the table grows to 3
 * million, 100,000 rows keep 82,000.
 */
const MAX_BATCH_BYTES = 36 * 1024 * 1024

/** What one transaction brought in. */
export interface BatchResult {
  /** As it is then. */
  position: SegmentPosition
  counts: SegmentCounts
  firstRejected: DecodedPart['firstRejected']
  bytes: number
  /** The batch was full: more may be there. */
  isFull: boolean
}

export interface BatchOptions {
  database: Database
  tables: ProjectionTables
  rollupTables: RollupTables
  rollupLabels: readonly string[]
  unjournaled: UnjournaledRequests
  /** As it is now. */
  position: SegmentPosition
  /** Lines of a newer segment have been projected. */
  isLate: boolean
  shouldStop(): boolean
}

/**
 * Folds whole lines, syncs the segment through the descriptor that they were read by, and commits rows and position
 * together. Null when there is no whole line to read. When it throws, neither rows nor position have moved, and the
 * segment must be closed.
 *
 * @throws ProjectionError SEGMENT_SYNC_FAILED, POSITION_MOVED; what SQLite and the reader throw.
 */
export async function projectBatch(
  decoded: DecodedSegment,
  options: BatchOptions,
): Promise<BatchResult | null> {
  const { database, position, shouldStop } = options
  const batch = new Batch(options)
  let isAtEnd = false
  const isFull = () => decoded.position - position.projectedBytes >= MAX_BATCH_BYTES
  try {
    while (!isFull() && !shouldStop()) {
      const part = await decoded.read(batch)
      isAtEnd = part === null
      if (part === null) break
      batch.count(part)
    }
    const bytes = decoded.position - position.projectedBytes
    if (bytes === 0) return null
    await syncSegment(decoded)
    return { ...batch.commit(decoded, isAtEnd), bytes, isFull: isFull() }
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/**
 * Before anything that was read is committed: the database must never run ahead of the durable journal.
 *
 * @throws ProjectionError SEGMENT_SYNC_FAILED: trying again would not help, since the kernel reports a lost page once.
 */
export async function syncSegment(decoded: DecodedSegment): Promise<void> {
  try {
    await decoded.sync()
  } catch (error) {
    const text = `syncing it failed (${error instanceof Error ? error.message : String(error)})`
    const advice = 'look at the disk, then start again'
    throw new ProjectionError(
      'SEGMENT_SYNC_FAILED',
      decoded.path,
      `${text}; nothing was projected from it: ${advice}`,
      error,
    )
  }
}

/** The transaction of one batch; it begins with the first line, so that looking costs no write lock. */
class Batch implements LineTarget {
  readonly #options: BatchOptions
  readonly #ratios = new TokenRatioChanges()
  readonly #rollups: RollupChanges
  #requests: RequestsFold | null = null
  #counts = emptyCounts()
  #firstRejected: DecodedPart['firstRejected'] = null

  constructor(options: BatchOptions) {
    this.#options = options
    this.#rollups = new RollupChanges(options.rollupTables, options.rollupLabels)
  }

  apply(event: JournalEvent, place: Place): void {
    this.#requests ??= this.#begin()
    this.#requests.apply(event, place)
  }

  reject(line: RejectedLine): void {
    this.#requests ??= this.#begin()
    this.#options.tables.insertRejectedLine(line)
  }

  count({ counts, firstRejected }: DecodedPart): void {
    this.#counts = addCounts(this.#counts, counts)
    this.#firstRejected ??= firstRejected
  }

  commit(
    decoded: DecodedSegment,
    isAtEnd: boolean,
  ): Pick<BatchResult, 'position' | 'counts' | 'firstRejected'> {
    const { database, tables, position, isLate } = this.#options
    // Blank lines alone have begun nothing yet.
    this.#requests ??= this.#begin()
    this.#ratios.apply(tables)
    this.#rollups.apply()
    const counts = this.#counts
    if (isLate) counts.late = counts.lines
    const next = positionBehind(decoded, position, { counts: addCounts(position.counts, counts), isAtEnd })
    if (!advancePosition(database, position.projectedBytes, next)) {
      const text = `its position is not ${position.projectedBytes} any more: another program writes to this database`
      throw new ProjectionError('POSITION_MOVED', decoded.path, `${text}; stop it, then start again`)
    }
    database.exec('COMMIT')
    return { position: next, counts, firstRejected: this.#firstRejected }
  }

  #begin(): RequestsFold {
    const { database, tables, unjournaled, position } = this.#options
    database.exec('BEGIN IMMEDIATE')
    if (position.lastLine === null) insertPosition(database, position)
    unjournaled.count(this.#rollups)
    return new RequestsFold({
      tables,
      ratios: this.#ratios,
      rollups: this.#rollups,
      isNew: () => true,
    })
  }
}

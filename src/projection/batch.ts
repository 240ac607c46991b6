import type { ScannedLine } from '../journal/line-scanner.js'
import type { SegmentSource } from '../journal/open-segment.js'
import type { Segment } from '../journal/segments.js'
import type { Database } from '../storage/database.js'
import {
  addCounts,
  advancePosition,
  insertPosition,
  type SegmentCounts,
  type SegmentPosition,
} from '../storage/positions.js'
import type { ProjectionTables } from '../storage/projection-tables.js'
import type { RollupTables } from '../storage/rollup-tables.js'
import { ProjectionError } from './errors.js'
import { LineFold } from './line-fold.js'
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
  firstRejected: LineFold['firstRejected']
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
  segment: Segment
  position: SegmentPosition
  /** Lines of a newer segment have been projected. */
  isLate: boolean
  shouldStop(): boolean
}

/**
 * Reads whole lines, folds them, syncs the segment through the descriptor that they were read by, and commits rows and
 * position together. Null when there is no whole line to read. When it throws, neither rows nor position have moved,
 * and the reader must be discarded.
 *
 * @throws ProjectionError SEGMENT_SYNC_FAILED, POSITION_MOVED; what SQLite and the reader throw.
 */
export async function projectBatch(
  reader: SegmentSource,
  options: BatchOptions,
): Promise<BatchResult | null> {
  const { database, position, shouldStop } = options
  const batch = new Batch(options)
  let isAtEnd = false
  const isFull = () => reader.position - position.projectedBytes >= MAX_BATCH_BYTES
  try {
    while (!isFull() && !shouldStop()) {
      isAtEnd = (await reader.readChunk((line) => batch.add(line))) === 0
      if (isAtEnd) break
    }
    if (batch.isEmpty) return null
    await syncSegment(reader)
    const bytes = reader.position - position.projectedBytes
    return { ...batch.commit(reader, isAtEnd), bytes, isFull: isFull() }
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
export async function syncSegment(reader: SegmentSource): Promise<void> {
  try {
    await reader.sync()
  } catch (error) {
    const text = `syncing it failed (${error instanceof Error ? error.message : String(error)})`
    const advice = 'look at the disk, then start again'
    throw new ProjectionError(
      'SEGMENT_SYNC_FAILED',
      reader.path,
      `${text}; nothing was projected from it: ${advice}`,
      error,
    )
  }
}

/** The transaction of one batch; it begins with the first line, so that looking costs no write lock. */
class Batch {
  readonly #options: BatchOptions
  readonly #ratios = new TokenRatioChanges()
  readonly #rollups: RollupChanges
  #fold: LineFold | null = null
  #lastLine: { byteOffset: number; length: number } | null = null

  constructor(options: BatchOptions) {
    this.#options = options
    this.#rollups = new RollupChanges(options.rollupTables, options.rollupLabels)
  }

  get isEmpty(): boolean {
    return this.#fold === null
  }

  add(line: ScannedLine): void {
    this.#fold ??= this.#begin()
    this.#fold.add(line)
    this.#lastLine = { byteOffset: line.byteOffset, length: line.length }
  }

  commit(
    reader: SegmentSource,
    isAtEnd: boolean,
  ): Pick<BatchResult, 'position' | 'counts' | 'firstRejected'> {
    const { database, tables, position, isLate } = this.#options
    if (this.#fold === null || this.#lastLine === null)
      throw new Error('an empty batch has nothing to commit')
    this.#ratios.apply(tables)
    this.#rollups.apply()
    const { counts, firstRejected } = this.#fold
    if (isLate) counts.late = counts.lines
    const all = { counts: addCounts(position.counts, counts), isAtEnd }
    const next = positionBehind(reader, position, this.#lastLine, all)
    if (!advancePosition(database, position.projectedBytes, next)) {
      const text = `its position is not ${position.projectedBytes} any more: another program writes to this database`
      throw new ProjectionError('POSITION_MOVED', reader.path, `${text}; stop it, then start again`)
    }
    database.exec('COMMIT')
    return { position: next, counts, firstRejected }
  }

  #begin(): LineFold {
    const { database, tables, unjournaled, segment, position } = this.#options
    database.exec('BEGIN IMMEDIATE')
    if (position.lastLine === null) insertPosition(database, position)
    unjournaled.count(this.#rollups)
    const requests = new RequestsFold({
      tables,
      ratios: this.#ratios,
      rollups: this.#rollups,
      isNew: () => true,
    })
    return new LineFold({
      journalId: position.journalId,
      segment,
      apply: (event, place) => requests.apply(event, place),
      reject: (line) => tables.insertRejectedLine(line),
    })
  }
}

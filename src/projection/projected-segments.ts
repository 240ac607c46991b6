import { realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { type FileIdentity, fileIdentityAt, isSameFile } from '../journal/file-identity.js'
import type { Segment } from '../journal/segments.js'
import type { Database } from '../store/sqlite/connection/database.js'
import {
  addCounts,
  emptyCounts,
  emptyPosition,
  readPositions,
  rememberFile,
  type SegmentCounts,
  type SegmentPosition,
} from '../store/sqlite/positions.js'
import type { DecodedSegment } from './decoded-segment.js'
import { ProjectionError } from './errors.js'
import type { ProjectionStores, ProjectionTransaction, SegmentBatch } from './transaction.js'
import { bulkTransaction, isWorthBulk, usualTransaction } from './transactions.js'

interface ProjectedSegmentsOptions {
  journalId: string
  databasePath: string
  stores: ProjectionStores
  /** Called after each commit, for each segment that it is of. */
  onBatch?: ((batch: SegmentBatch) => void) | undefined
}

/** How far each segment is projected, and the transactions that bring it further. */
export class ProjectedSegments {
  readonly #options: ProjectedSegmentsOptions
  readonly #positions: Map<number, SegmentPosition>
  readonly #databaseFile: FileIdentity | null
  readonly #folder: { path: string; file: FileIdentity | null }
  #greatestId: number

  constructor(options: ProjectedSegmentsOptions) {
    this.#options = options
    this.#databaseFile = fileIdentityAt(options.databasePath)
    const folder = dirname(realpathSync(options.databasePath))
    this.#folder = { path: folder, file: fileIdentityAt(folder) }
    const positions = readPositions(options.stores.database)
    this.#positions = new Map(positions.map((position) => [position.id, position]))
    this.#greatestId = Math.max(0, ...this.#positions.keys())
  }

  get database(): Database {
    return this.#options.stores.database
  }

  all(): Iterable<SegmentPosition> {
    return this.#positions.values()
  }

  /** Undefined where nothing of it is projected. */
  get(segment: Segment): SegmentPosition | undefined {
    return this.#positions.get(segment.id)
  }

  /** @param file of a segment of which nothing is projected yet. */
  positionOf(segment: Segment, file: FileIdentity): SegmentPosition {
    const { journalId } = this.#options
    return this.get(segment) ?? emptyPosition(segment.id, segment.name, journalId, file)
  }

  /** A file that was compared with what was projected is known from now on: comparing reads all of it. */
  remember(segment: Segment, file: FileIdentity): void {
    const position = this.get(segment)
    if (position === undefined) return
    const { device, inode } = position.file
    if (device === file.device && inode === file.inode) return
    rememberFile(this.database, segment.id, file)
    this.#positions.set(segment.id, { ...position, file })
  }

  /**
   * Late lines come one by one: in bulk completions would meet what was held for their request in another order.
   *
   * @param first the segment whose lines it begins with.
   * @param backlogBytes of lines that wait.
   * @throws ProjectionError DATABASE_REMOVED; DATABASE_AWAY while its folder isn't there either: it may come back.
   */
  newTransaction(first: Segment, backlogBytes: number): ProjectionTransaction {
    const { databasePath, stores } = this.#options
    const file = fileIdentityAt(databasePath)
    if (file === null && !isSameFile(fileIdentityAt(this.#folder.path), this.#folder.file)) {
      throw databaseAway(databasePath)
    }
    if (!isSameFile(file, this.#databaseFile)) throw databaseRemoved(databasePath)
    const isBulk = !this.#isLate(first) && isWorthBulk(stores.database, backlogBytes, this.all())
    return isBulk ? bulkTransaction(stores) : usualTransaction(stores)
  }

  /** Folds a segment's lines until the transaction is full. @returns whether the segment is at its end. */
  async read(
    transaction: ProjectionTransaction,
    segment: Segment,
    decoded: DecodedSegment,
    shouldStop: () => boolean,
  ): Promise<boolean> {
    transaction.enter(this.positionOf(segment, decoded.file), this.#isLate(segment))
    let isAtEnd = false
    while (!isAtEnd && !transaction.isFullWith(decoded) && !shouldStop()) {
      const part = await decoded.read(transaction)
      if (part === null) isAtEnd = true
      else transaction.count(part)
    }
    await transaction.leave(decoded, isAtEnd)
    return isAtEnd
  }

  /** Lines of a newer segment have been projected. */
  #isLate(segment: Segment): boolean {
    return segment.id < this.#greatestId
  }

  commit(transaction: ProjectionTransaction): SegmentCounts {
    let total = emptyCounts()
    for (const batch of transaction.commit()) {
      const { position, counts } = batch
      this.#positions.set(position.id, position)
      this.#greatestId = Math.max(this.#greatestId, position.id)
      this.#options.onBatch?.(batch)
      total = addCounts(total, counts)
    }
    return total
  }
}

function databaseRemoved(path: string): ProjectionError {
  const text =
    'the database file was removed or replaced while it was written to; what is missing is in the journal'
  return new ProjectionError('DATABASE_REMOVED', path, `${text}: start the projector again`)
}

function databaseAway(path: string): ProjectionError {
  const text = 'the database is away with its folder, which was moved, removed or unmounted: bring it back'
  return new ProjectionError('DATABASE_AWAY', path, text)
}

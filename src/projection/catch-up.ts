import { lstatSync, statSync } from 'node:fs'
import { MAX_LINE_BYTES } from '../events/line.js'
import { ArchivedSegmentReader } from '../journal/archived-segment-reader.js'
import { JournalError } from '../journal/errors.js'
import { isMissing } from '../journal/files.js'
import type { JournalIdentity } from '../journal/identity.js'
import { openSegment, type SegmentSource } from '../journal/open-segment.js'
import type { Segment } from '../journal/segments.js'
import type { Database } from '../storage/database.js'
import {
  addCounts,
  emptyCounts,
  emptyPosition,
  readPositions,
  type SegmentCounts,
  type SegmentPosition,
} from '../storage/positions.js'
import { ProjectionTables } from '../storage/projection-tables.js'
import { prunedThrough } from '../storage/pruned.js'
import { RollupTables } from '../storage/rollup-tables.js'
import { Archives } from './archives.js'
import { type BatchOptions, type BatchResult, projectBatch } from './batch.js'
import { ProjectionError } from './errors.js'
import { chooseRollupLabels } from './rollup-labels.js'
import { checkJournal, checkSegment } from './segment-check.js'
import { SegmentDecoder } from './segment-decoder.js'
import { SegmentList } from './segment-list.js'
import { UnjournaledRequests } from './unjournaled-requests.js'
import { checkVersions } from './versions.js'

/**
 * How long a closed segment may go without a look. Nothing is lost by it: what is added to one is a late line. A look
 * at 8,760 files takes 26 ms.
 */
const CLOSED_LOOK_MS = 30_000

/** How often the journal is listed anew in one run because a segment of the list was not there. */
const MAX_LISTINGS = 5

interface CatchUpOptions {
  directory: string
  identity: JournalIdentity
  databasePath: string
  database: Database
  /** The labels to keep roll-ups by; undefined: those of the database. */
  rollupLabels?: readonly string[] | undefined
  /** Called after each commit. */
  onBatch?(segment: Segment, batch: BatchResult): void
}

/**
 * Brings the database up to the end of the journal, as often as it is called. Keeps the positions and the open
 * segments in between, which only the holder of the projector's lock may do.
 */
export class CatchUp {
  readonly #options: CatchUpOptions
  readonly #tables: ProjectionTables
  readonly #rollups: Pick<BatchOptions, 'rollupTables' | 'rollupLabels' | 'unjournaled'>
  readonly #segments: SegmentList
  readonly #databaseInode: bigint
  #positions: Map<number, SegmentPosition>
  readonly #archives: Archives
  /** Segments up to this one were pruned. */
  readonly #prunedThrough: number
  #readers = new Map<number, SegmentSource>()
  #closedLookAt = Number.NEGATIVE_INFINITY
  #newestId = 0
  #greatestProjectedId: number
  #checkedList: readonly Segment[] = []

  /** @throws ProjectionError OTHER_JOURNAL, PROJECTION_OUTDATED, OTHER_ROLLUP_LABELS, and what a check of every segment throws. */
  constructor(options: CatchUpOptions) {
    this.#options = options
    const { database, databasePath, directory } = options
    checkVersions(database, databasePath)
    this.#databaseInode = inodeOf(databasePath)
    this.#tables = new ProjectionTables(database)
    this.#rollups = {
      rollupTables: new RollupTables(database),
      rollupLabels: chooseRollupLabels(database, databasePath, options.rollupLabels),
      unjournaled: new UnjournaledRequests(database),
    }
    this.#segments = new SegmentList(directory)
    this.#archives = new Archives(directory)
    this.#prunedThrough = prunedThrough(database)
    this.#positions = new Map(readPositions(database).map((position) => [position.id, position]))
    this.#greatestProjectedId = Math.max(0, ...this.#positions.keys())
    checkJournal(this.#positions.values(), options.identity, databasePath)
  }

  /** As they were last listed; the same array while nothing has changed. */
  segments(): readonly Segment[] {
    return this.#segments.get()
  }

  /**
   * Reads every segment to its end, in order. Closed ones only now and then, unless `isComplete`.
   *
   * @returns what was projected; also when `shouldStop` ended it early, always behind a commit.
   */
  async run(shouldStop: () => boolean, isComplete = false): Promise<SegmentCounts> {
    let total = emptyCounts()
    for (let attempt = 1; ; attempt++) {
      const segments = this.#segments.get()
      this.#checkAllThere(segments)
      try {
        for (const segment of this.#dueSegments(segments, isComplete)) {
          total = addCounts(total, await this.#projectSegment(segment, shouldStop))
          if (shouldStop()) break
        }
        return total
      } catch (error) {
        if (!hasVanished(error) || attempt === MAX_LISTINGS) throw error
        // It went between being listed and being opened: a new list says whether that was right.
        this.#segments.forget()
        this.#closedLookAt = Number.NEGATIVE_INFINITY
      }
    }
  }

  close(): void {
    for (const reader of this.#readers.values()) reader.close()
    this.#readers.clear()
  }

  /** The newest one; all of them when a newer one has appeared, and now and then. */
  #dueSegments(segments: readonly Segment[], isComplete: boolean): readonly Segment[] {
    const newest = segments.at(-1)
    if (newest === undefined) return []
    const now = performance.now()
    const isDue = isComplete || newest.id !== this.#newestId || now - this.#closedLookAt >= CLOSED_LOOK_MS
    this.#newestId = newest.id
    if (!isDue) return segments.slice(-1).filter((segment) => this.#isDue(segment))
    this.#closedLookAt = now
    return segments.filter((segment) => this.#isDue(segment))
  }

  #isDue(segment: Segment): boolean {
    if (segment.id <= this.#prunedThrough) return false
    if (!segment.isArchived || segment.isLeaving) return true
    return this.#archives.isBehind(segment, this.#positions.get(segment.id))
  }

  async #projectSegment(segment: Segment, shouldStop: () => boolean): Promise<SegmentCounts> {
    let total = emptyCounts()
    try {
      for (;;) {
        const batch = await this.#projectBatch(segment, shouldStop)
        if (batch === null) break
        total = addCounts(total, batch.counts)
        if (!batch.isFull || shouldStop()) break
      }
      const reader = this.#readers.get(segment.id)
      if (reader instanceof ArchivedSegmentReader && reader.isAtEnd) {
        this.#archives.finish(segment, reader.position)
      }
    } catch (error) {
      // Whatever it has read ahead of the position is worthless now.
      this.#closeReader(segment.id)
      throw error
    }
    if (segment.id !== this.#newestId) this.#closeReader(segment.id)
    return total
  }

  async #projectBatch(segment: Segment, shouldStop: () => boolean): Promise<BatchResult | null> {
    const { database, databasePath, onBatch } = this.#options
    const reader = this.#readerOf(segment)
    const position = this.#positions.get(segment.id) ?? this.#newPosition(segment, reader)
    checkSegment(reader, position)
    if (reader.isAtEnd) return null
    if (inodeOf(databasePath) !== this.#databaseInode) throw databaseRemoved(databasePath)
    const batch = await projectBatch(this.#decoderOf(segment, reader), {
      database,
      tables: this.#tables,
      ...this.#rollups,
      position,
      isLate: segment.id < this.#greatestProjectedId,
      shouldStop,
    })
    if (batch === null) return null
    this.#positions.set(segment.id, batch.position)
    this.#greatestProjectedId = Math.max(this.#greatestProjectedId, segment.id)
    onBatch?.(segment, batch)
    return batch
  }

  /** The open reader, unless the path leads to another file by now, or the part of a line that it keeps may be stale. */
  #readerOf(segment: Segment): SegmentSource {
    const { directory } = this.#options
    const open = this.#readers.get(segment.id)
    if (open !== undefined) {
      const onDisk = lstatSync(open.path, { bigint: true, throwIfNoEntry: false })
      const keepsPart = open.readOffset > open.position && open.readOffset - open.position < MAX_LINE_BYTES
      const isStale = keepsPart && onDisk?.size !== BigInt(open.readOffset)
      if (onDisk?.ino === open.stats.ino && !isStale) return open
      this.#closeReader(segment.id)
    }
    const position = this.#positions.get(segment.id)
    const reader = openSegment(directory, segment, {
      position: position?.projectedBytes,
      positionCrc32: position?.projectedCrc32,
    })
    this.#readers.set(segment.id, reader)
    return reader
  }

  #decoderOf(segment: Segment, reader: SegmentSource): SegmentDecoder {
    const journalId = this.#options.identity.journal_id
    return new SegmentDecoder(reader, segment, {
      journalId,
      prefixBytes: 0,
      isDigested: false,
      endsWhereItDid: false,
    })
  }

  #newPosition(segment: Segment, reader: SegmentSource): SegmentPosition {
    const { identity } = this.#options
    return emptyPosition(segment.id, segment.name, identity.journal_id, String(reader.stats.ino))
  }

  #checkAllThere(segments: readonly Segment[]): void {
    if (segments === this.#checkedList) return
    this.#checkedList = segments
    this.#archives.refresh()
    const there = new Set(segments.map((segment) => segment.id))
    for (const position of this.#positions.values()) {
      const isKnownToBeGone = position.id <= this.#prunedThrough || this.#archives.isPruned(position)
      if (!there.has(position.id) && !isKnownToBeGone) throw segmentMissing(this.#options.directory, position)
    }
  }

  #closeReader(id: number): void {
    this.#readers.get(id)?.close()
    this.#readers.delete(id)
  }
}

function hasVanished(error: unknown): boolean {
  return error instanceof JournalError && error.code === 'SEGMENT_UNREADABLE' && isMissing(error.cause)
}

function segmentMissing(directory: string, position: SegmentPosition): ProjectionError {
  const found = `the segment is gone, and ${position.projectedBytes} bytes of it are in the database`
  const advice =
    'bring it back from a backup, or rebuild the database without it with `request-journal replay --allow-missing`'
  return new ProjectionError('SEGMENT_MISSING', `${directory}/${position.name}`, `${found}: ${advice}`)
}

function databaseRemoved(path: string): ProjectionError {
  const text =
    'the database file was removed or replaced while it was written to; what is missing is in the journal'
  return new ProjectionError('DATABASE_REMOVED', path, `${text}: start the projector again`)
}

function inodeOf(path: string): bigint {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? -1n
}

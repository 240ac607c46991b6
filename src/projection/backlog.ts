import { JournalError } from '../journal/errors.js'
import type { Segment } from '../journal/segments.js'
import { addCounts, emptyCounts, type SegmentCounts } from '../storage/positions.js'
import type { Archives } from './archives.js'
import type { DecodedSegment } from './decoded-segment.js'
import type { SegmentToOpen } from './decoder-messages.js'
import { ProjectionError } from './errors.js'
import type { ProjectedSegments } from './projected-segments.js'
import { plainSize } from './replay-checks.js'
import { checkSegment } from './segment-check.js'
import { SegmentOpener, WORKER_FROM_BYTES } from './segment-opener.js'
import type { SegmentReaders } from './segment-readers.js'

/** Measured: the index of a bulk transaction is made in one piece for each million of rows. */
const CACHE_KIB = 64 * 1024

interface BacklogOptions {
  directory: string
  journalId: string
  projected: ProjectedSegments
  readers: SegmentReaders
  archives: Archives
  /** From how many bytes on it is one. */
  fromBytes?: number | undefined
}

interface WaitingSegment extends SegmentToOpen {
  bytes: number
}

/** Brings segments to where they are now when very much is waiting: with another thread and, where that pays, in bulk. */
export class Backlog {
  readonly #options: BacklogOptions

  constructor(options: BacklogOptions) {
    this.#options = options
  }

  /** @returns what was projected: nothing where too little is waiting. */
  async project(segments: readonly Segment[], shouldStop: () => boolean): Promise<SegmentCounts> {
    const { directory, fromBytes = WORKER_FROM_BYTES } = this.#options
    const waiting = segments.map((segment) => this.#waiting(segment)).filter(({ bytes }) => bytes > 0)
    const bytes = waiting.reduce((sum, segment) => sum + segment.bytes, 0)
    if (bytes < fromBytes) return emptyCounts()
    const { database } = this.#options.projected
    const cacheSize = database.pragma('cache_size', { simple: true })
    database.pragma(`cache_size = -${CACHE_KIB}`)
    const opener = new SegmentOpener(directory, bytes, fromBytes)
    try {
      return await this.#projectAll(opener, waiting, shouldStop)
    } finally {
      await opener.close()
      database.pragma(`cache_size = ${cacheSize}`)
      database.pragma('shrink_memory')
    }
  }

  async #projectAll(
    opener: SegmentOpener,
    waiting: readonly WaitingSegment[],
    shouldStop: () => boolean,
  ): Promise<SegmentCounts> {
    const { projected, archives } = this.#options
    let bytes = waiting.reduce((sum, segment) => sum + segment.bytes, 0)
    let total = emptyCounts()
    let readArchives: { segment: Segment; bytes: number }[] = []
    let transaction = projected.newTransaction(bytes)
    const commit = () => {
      total = addCounts(total, projected.commit(transaction))
      for (const archive of readArchives) archives.finish(archive.segment, archive.bytes)
      readArchives = []
      bytes -= transaction.bytes
      transaction = projected.newTransaction(bytes)
    }
    try {
      for await (const { toOpen, decoded } of opener.openEach(waiting)) {
        const { segment } = toOpen
        if (shouldStop() || !this.#isUnchanged(segment, decoded)) break
        let isAtEnd = false
        while (!isAtEnd && !shouldStop()) {
          isAtEnd = await projected.read(transaction, segment, decoded, shouldStop)
          if (isAtEnd && decoded.isArchive) readArchives.push({ segment, bytes: decoded.position })
          if (transaction.isFull || !transaction.isBulk) commit()
        }
      }
      commit()
      return total
    } catch (error) {
      transaction.rollback()
      // Segment by segment all that comes before it will be projected, and then it is found again.
      if (isAboutSegment(error)) return total
      throw error
    }
  }

  #waiting(segment: Segment): WaitingSegment {
    const { directory, journalId, projected, archives } = this.#options
    const { projectedBytes = 0, projectedCrc32 = 0 } = projected.get(segment) ?? {}
    const size = plainSize(directory, segment) ?? archives.bytesOf(segment) ?? 0
    return {
      directory,
      segment,
      position: projectedBytes,
      positionCrc32: projectedCrc32,
      journalId,
      prefixBytes: 0,
      isDigested: false,
      // What was read must become visible at last, however fast lines come.
      endsWhereItDid: true,
      bytes: size - projectedBytes,
    }
  }

  /**
   * Whether the other thread has opened the very file that is checked here.
   *
   * @throws JournalError SEGMENT_UNREADABLE; ProjectionError SEGMENT_TRUNCATED, SEGMENT_REPLACED.
   */
  #isUnchanged(segment: Segment, decoded: DecodedSegment): boolean {
    // Its reader compares what it decompresses with the position's checksum.
    if (decoded.isArchive) return true
    const { projected, readers } = this.#options
    const reader = readers.open(segment, projected.get(segment))
    try {
      const inode = String(reader.stats.ino)
      checkSegment(reader, projected.positionOf(segment, inode))
      return inode === decoded.inode
    } finally {
      readers.close(segment.id)
    }
  }
}

/** Whoever reads that segment alone finds the same. */
function isAboutSegment(error: unknown): boolean {
  if (error instanceof JournalError) return true
  return (
    error instanceof ProjectionError &&
    (error.code === 'SEGMENT_REPLACED' || error.code === 'SEGMENT_TRUNCATED')
  )
}

import { MAX_LINE_BYTES } from '../events/line.js'
import { JournalError } from '../journal/errors.js'
import { fileIdentity, isSameFile } from '../journal/file-identity.js'
import type { Segment } from '../journal/segments.js'
import { addCounts, emptyCounts, type SegmentCounts } from '../store/sqlite/positions.js'
import type { DecodedSegment } from './decoded-segment.js'
import { ProjectionError } from './errors.js'
import type { SegmentToOpen } from './offload/decoder-messages.js'
import type { ProjectedSegments } from './projected-segments.js'
import { plainSize } from './replay-checks.js'
import type { Archives } from './segments/archives.js'
import { checkSegment } from './segments/segment-check.js'
import { SegmentOpener } from './segments/segment-opener.js'
import type { SegmentReaders } from './segments/segment-readers.js'
import type { ProjectionTransaction } from './transaction.js'

/**
 * What is behind by less is brought in on this thread in about a second, and so a projector that follows busy writers does
 * without the 15 MiB that the other thread takes.
 */
const BACKLOG_FROM_BYTES = 64 * 1024 * 1024

/** For tests, which have no gigabytes. */
export interface BacklogSizes {
  /** From how many bytes on what is waiting is a backlog. */
  fromBytes: number
  /** From how many on another thread decodes it. */
  workerFromBytes: number
}

interface BacklogOptions {
  directory: string
  journalId: string
  projected: ProjectedSegments
  readers: SegmentReaders
  archives: Archives
  sizes?: BacklogSizes | undefined
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
    const { directory, sizes } = this.#options
    // One that is shorter than it was must stop what comes behind it.
    const waiting = segments.map((segment) => this.#waiting(segment)).filter(({ bytes }) => bytes !== 0)
    const bytes = sumOfBytes(waiting)
    if (waiting.length === 0 || bytes < (sizes?.fromBytes ?? BACKLOG_FROM_BYTES)) return emptyCounts()
    const opener = new SegmentOpener(directory, bytes, sizes?.workerFromBytes)
    try {
      return await this.#projectAll(opener, waiting, shouldStop)
    } finally {
      await opener.close()
    }
  }

  async #projectAll(
    opener: SegmentOpener,
    waiting: readonly WaitingSegment[],
    shouldStop: () => boolean,
  ): Promise<SegmentCounts> {
    const { projected, archives } = this.#options
    let bytes = sumOfBytes(waiting)
    let total = emptyCounts()
    let readArchives: { segment: Segment; bytes: number }[] = []
    let transaction: ProjectionTransaction | null = null
    const commit = () => {
      if (transaction === null) return
      total = addCounts(total, projected.commit(transaction))
      for (const archive of readArchives) archives.finish(archive.segment, archive.bytes)
      readArchives = []
      bytes -= transaction.bytes
      transaction = null
    }
    try {
      for await (const { toOpen, decoded } of opener.openEach(waiting)) {
        const { segment } = toOpen
        if (shouldStop() || !this.#isUnchanged(segment, decoded)) break
        let isAtEnd = false
        while (!isAtEnd && !shouldStop()) {
          transaction ??= projected.newTransaction(segment, bytes)
          isAtEnd = await projected.read(transaction, segment, decoded, shouldStop)
          if (isAtEnd && decoded.isArchive) readArchives.push({ segment, bytes: decoded.position })
          if (transaction.isFull || !transaction.isBulk) commit()
        }
      }
      commit()
      return total
    } catch (error) {
      transaction?.rollback()
      // Segment by segment all that comes before it will be projected, and then it is found again.
      if (isAboutSegment(error)) return total
      throw error
    }
  }

  #waiting(segment: Segment): WaitingSegment {
    const { directory, journalId, projected, readers, archives, sizes } = this.#options
    const { projectedBytes = 0, projectedCrc32 = 0 } = projected.get(segment) ?? {}
    const size = plainSize(directory, segment) ?? archives.bytesOf(segment) ?? 0
    const bytes = size - projectedBytes
    // A line that is longer than any may be is no backlog: whoever follows reads it once, and goes on where that ended.
    const { fromBytes = BACKLOG_FROM_BYTES } = sizes ?? {}
    const isTail =
      bytes >= Math.max(fromBytes, MAX_LINE_BYTES) && readers.isInsideLongLine(segment, projectedBytes)
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
      bytes: isTail ? 0 : bytes,
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
      const file = fileIdentity(reader.stats)
      checkSegment(reader, projected.positionOf(segment, file))
      projected.remember(segment, file)
      return isSameFile(file, decoded.file)
    } finally {
      readers.close(segment.id)
    }
  }
}

function sumOfBytes(waiting: readonly WaitingSegment[]): number {
  return waiting.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Whoever reads that segment alone finds the same. */
function isAboutSegment(error: unknown): boolean {
  if (error instanceof JournalError) return true
  return (
    error instanceof ProjectionError &&
    (error.code === 'SEGMENT_REPLACED' || error.code === 'SEGMENT_TRUNCATED')
  )
}

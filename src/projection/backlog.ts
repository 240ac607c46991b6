import { MAX_LINE_BYTES } from '../events/line.js'
import { JournalError } from '../journal/errors.js'
import { fileIdentity } from '../journal/file-identity.js'
import { openSegment } from '../journal/read/open-segment.js'
import { SegmentDecoder } from '../journal/read/segment-decoder.js'
import type { Segment } from '../journal/segments.js'
import { ProjectionError } from '../store/errors.js'
import { addCounts, emptyCounts, type SegmentCounts } from '../store/positions.js'
import type { BatchWriter } from './batch-writer.js'
import type { ProjectedSegments } from './projected-segments.js'
import { plainSize } from './replay-checks.js'
import type { Archives } from './segments/archives.js'
import { checkSegment } from './segments/segment-check.js'
import type { SegmentReaders } from './segments/segment-readers.js'

/** A projector that follows busy writers brings in less than this in about a second, segment by segment. */
const BACKLOG_FROM_BYTES = 64 * 1024 * 1024

/** Bytes that are read at a time: with so much to do, nothing else waits for the event loop. */
const BACKLOG_CHUNK_BYTES = 256 * 1024

/** Sizes for tests, which have no gigabytes. */
export interface BacklogSizes {
  /** How many bytes must wait to be a backlog. */
  fromBytes: number
}

interface BacklogOptions {
  directory: string
  journalId: string
  projected: ProjectedSegments
  readers: SegmentReaders
  archives: Archives
  sizes?: BacklogSizes | undefined
}

interface WaitingSegment {
  segment: Segment
  /** Bytes that wait; less than 0 if the segment is shorter than it was. */
  bytes: number
}

/** Brings segments to where they are now when very much is waiting: several in one transaction and, if that pays, in bulk. */
export class Backlog {
  readonly #options: BacklogOptions

  constructor(options: BacklogOptions) {
    this.#options = options
  }

  /** Returns what was projected: nothing if too little is waiting. */
  async project(segments: readonly Segment[], shouldStop: () => boolean): Promise<SegmentCounts> {
    const { sizes } = this.#options
    // A segment that is shorter than it was must stop those after it.
    const waiting = segments.map((segment) => this.#waiting(segment)).filter(({ bytes }) => bytes !== 0)
    const bytes = sumOfBytes(waiting)
    if (waiting.length === 0 || bytes < (sizes?.fromBytes ?? BACKLOG_FROM_BYTES)) return emptyCounts()
    return await this.#projectAll(waiting, shouldStop)
  }

  async #projectAll(waiting: readonly WaitingSegment[], shouldStop: () => boolean): Promise<SegmentCounts> {
    const { projected, archives } = this.#options
    let bytes = sumOfBytes(waiting)
    let total = emptyCounts()
    let readArchives: { segment: Segment; bytes: number }[] = []
    let current: { writer: BatchWriter; isBulk: boolean } | null = null
    const commit = async () => {
      if (current === null) return
      total = addCounts(total, await projected.commit(current.writer))
      for (const archive of readArchives) archives.finish(archive.segment, archive.bytes)
      readArchives = []
      bytes -= current.writer.bytes
      current = null
    }
    try {
      for (const { segment } of waiting) {
        if (shouldStop()) break
        const decoder = await this.#open(segment)
        try {
          let isAtEnd = false
          while (!isAtEnd && !shouldStop()) {
            current ??= await projected.newWriter(segment, bytes)
            isAtEnd = await projected.write(current.writer, segment, decoder, shouldStop)
            if (isAtEnd && decoder.isArchive) readArchives.push({ segment, bytes: decoder.position })
            if (current.writer.isFull || !current.isBulk) await commit()
          }
        } finally {
          decoder.close()
        }
      }
      await commit()
      return total
    } catch (error) {
      await current?.writer.rollback()
      // The segments before it will be projected one by one, and then the same error is found again.
      if (isAboutSegment(error)) return total
      throw error
    }
  }

  #waiting(segment: Segment): WaitingSegment {
    const { directory, projected, readers, archives, sizes } = this.#options
    const { projectedBytes = 0 } = projected.get(segment) ?? {}
    const size = plainSize(directory, segment) ?? archives.bytesOf(segment) ?? 0
    const bytes = size - projectedBytes
    // A line that is longer than any may be isn't a backlog: whoever follows reads it once, and goes on where that ended.
    const { fromBytes = BACKLOG_FROM_BYTES } = sizes ?? {}
    const isTail =
      bytes >= Math.max(fromBytes, MAX_LINE_BYTES) && readers.isInsideLongLine(segment, projectedBytes)
    return { segment, bytes: isTail ? 0 : bytes }
  }

  /** @throws JournalError SEGMENT_UNREADABLE; ProjectionError SEGMENT_TRUNCATED, SEGMENT_REPLACED. */
  async #open(segment: Segment): Promise<SegmentDecoder> {
    const { directory, journalId, projected, readers } = this.#options
    const { projectedBytes, projectedCrc32 } = projected.get(segment) ?? {}
    // The reader that followed the segment would read the same lines again.
    readers.close(segment.id)
    const source = openSegment(directory, segment, {
      position: projectedBytes,
      positionCrc32: projectedCrc32,
      chunkBytes: BACKLOG_CHUNK_BYTES,
    })
    try {
      const { stats } = source
      const file = fileIdentity(stats)
      checkSegment(source, projected.positionOf(segment, file))
      if (source.isArchive) return new SegmentDecoder(source, { journalId })
      await projected.remember(segment, file)
      // What was read must become visible at last, however fast lines come: reading ends where the segment does now.
      return new SegmentDecoder(source, { journalId, endOffset: Number(stats.size) })
    } catch (error) {
      source.close()
      throw error
    }
  }
}

function sumOfBytes(waiting: readonly WaitingSegment[]): number {
  return waiting.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Whether whoever reads that segment alone finds the same. */
function isAboutSegment(error: unknown): boolean {
  if (error instanceof JournalError) return true
  return (
    error instanceof ProjectionError &&
    (error.code === 'SEGMENT_REPLACED' || error.code === 'SEGMENT_TRUNCATED')
  )
}

import { Sums } from '../folds/sums.js'
import type { FileIdentity } from '../journal/file-identity.js'
import type { Segment } from '../journal/segments.js'
import type { Store } from '../store/port.js'
import {
  addCounts,
  emptyCounts,
  emptyPosition,
  type SegmentCounts,
  type SegmentPosition,
} from '../store/positions.js'
import { BatchWriter, type SegmentProgress } from './batch-writer.js'

/**
 * Bytes of lines in one transaction, so that it grows with the backlog up to about 100,000 rows. Measured: with random
 * UUIDs and the two indexes, 3,000 rows a transaction fall to 29,000 rows a second as the table grows to 3 million;
 * 100,000 rows keep 82,000.
 */
const MAX_BYTES = 36 * 1024 * 1024

/** Bytes of lines in one bulk transaction: about 2.6 million rows, whose WAL in SQLite takes about as many bytes. */
export const MAX_BULK_BYTES = 1024 * 1024 * 1024

interface ProjectedSegmentsOptions {
  journalId: string
  store: Store
  rollupLabels: readonly string[]
  /** Called after each commit, for each segment that it moved. */
  onProgress?: ((progress: SegmentProgress) => void) | undefined
}

/** How far each segment is projected, and the transactions that bring it further. */
export class ProjectedSegments {
  readonly #options: ProjectedSegmentsOptions
  readonly #positions: Map<number, SegmentPosition>
  #greatestId: number

  constructor(options: ProjectedSegmentsOptions, positions: readonly SegmentPosition[]) {
    this.#options = options
    this.#positions = new Map(positions.map((position) => [position.id, position]))
    this.#greatestId = Math.max(0, ...this.#positions.keys())
  }

  all(): Iterable<SegmentPosition> {
    return this.#positions.values()
  }

  /** Undefined if nothing of the segment is projected. */
  get(segment: Segment): SegmentPosition | undefined {
    return this.#positions.get(segment.id)
  }

  /** @param file the segment's file, for a segment of which nothing is projected yet. */
  positionOf(segment: Segment, file: FileIdentity): SegmentPosition {
    return this.get(segment) ?? emptyPosition(segment.id, segment.name, this.#options.journalId, file)
  }

  /** Remembers a file that was compared with what was projected: comparing reads all of it. */
  async remember(segment: Segment, file: FileIdentity): Promise<void> {
    const position = this.get(segment)
    if (position === undefined) return
    const { device, inode } = position.file
    if (device === file.device && inode === file.inode) return
    await this.#options.store.rememberFile(segment.id, file)
    this.#positions.set(segment.id, { ...position, file })
  }

  /**
   * Begins to write. Late lines aren't written in bulk: there completions would meet those that were held for their
   * request in another order.
   *
   * @param first the segment whose lines it begins with.
   * @param backlogBytes bytes of lines that wait; 0 for lines as they come.
   * @throws ProjectionError DATABASE_REMOVED; DATABASE_AWAY while it may come back.
   */
  async newWriter(first: Segment, backlogBytes: number): Promise<BatchWriter> {
    const { store, rollupLabels } = this.#options
    await store.checkIsThere()
    const bytes = Math.min(backlogBytes, MAX_BULK_BYTES)
    const isBulk = !this.isLate(first) && (await store.isWorthBulk(bytes, this.all()))
    return new BatchWriter({
      transaction: () => store.begin(isBulk ? 'bulk' : 'usual'),
      sums: new Sums(rollupLabels),
      isBulk,
      maxBytes: isBulk ? MAX_BULK_BYTES : MAX_BYTES,
    })
  }

  /** Commits, and returns what was projected. */
  async commit(writer: BatchWriter): Promise<SegmentCounts> {
    let total = emptyCounts()
    for (const progress of await writer.commit()) {
      const { position, counts } = progress
      this.#positions.set(position.id, position)
      this.#greatestId = Math.max(this.#greatestId, position.id)
      this.#options.onProgress?.(progress)
      total = addCounts(total, counts)
    }
    return total
  }

  /** Whether lines of a newer segment have been projected. */
  isLate(segment: Segment): boolean {
    return segment.id < this.#greatestId
  }
}

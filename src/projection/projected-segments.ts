import { Sums } from '../folds/sums/sums.js'
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

/** Knows how far each segment is projected, and begins the transactions that project more of it. */
export class ProjectedSegments {
  readonly #options: ProjectedSegmentsOptions
  readonly #positions: Map<number, SegmentPosition>
  #newestId: number

  constructor(options: ProjectedSegmentsOptions, positions: readonly SegmentPosition[]) {
    this.#options = options
    this.#positions = new Map(positions.map((position) => [position.id, position]))
    this.#newestId = positions.reduce((newest, { id }) => Math.max(newest, id), 0)
  }

  all(): Iterable<SegmentPosition> {
    return this.#positions.values()
  }

  newest(): SegmentPosition | null {
    return this.#positions.get(this.#newestId) ?? null
  }

  /** A segment's position; undefined if none of it has been projected. */
  get(segment: Segment): SegmentPosition | undefined {
    return this.#positions.get(segment.id)
  }

  /** @param file the segment's file, which is used if none of the segment has been projected. */
  positionOf(segment: Segment, file: FileIdentity): SegmentPosition {
    return this.get(segment) ?? emptyPosition(segment.id, segment.name, this.#options.journalId, file)
  }

  /**
   * Remembers that this file holds the lines that were projected, since checking that again would
   * mean reading all of it.
   */
  async remember(segment: Segment, file: FileIdentity): Promise<void> {
    const position = this.get(segment)
    if (position === undefined) return
    const { device, inode } = position.file
    if (device === file.device && inode === file.inode) return
    await this.#options.store.rememberFile(segment.id, file)
    this.#positions.set(segment.id, { ...position, file })
  }

  /**
   * Makes a writer. It doesn't write late lines in bulk, because completions that were held for a
   * request would then be applied in another order.
   *
   * @param first the segment whose lines are written first.
   * @param backlogBytes how many bytes of lines wait; 0 if they aren't a backlog.
   * @throws what `Store.checkIsThere` throws.
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

  /** Commits, and returns the counts of what was projected. */
  async commit(writer: BatchWriter): Promise<SegmentCounts> {
    let total = emptyCounts()
    for (const progress of await writer.commit()) {
      const { position, counts } = progress
      this.#positions.set(position.id, position)
      this.#newestId = Math.max(this.#newestId, position.id)
      this.#options.onProgress?.(progress)
      total = addCounts(total, counts)
    }
    return total
  }

  /** Whether lines of a newer segment have been projected. */
  isLate(segment: Segment): boolean {
    return segment.id < this.#newestId
  }
}

interface ProjectedSegmentsOptions {
  journalId: string
  store: Store
  rollupLabels: readonly string[]
  /** Called after each commit, for each segment that it moved. */
  onProgress?: ((progress: SegmentProgress) => void) | undefined
}

/**
 * How many bytes of lines one transaction takes, about 100,000 rows. As measured with random UUIDs
 * and the two indexes, transactions of 3,000 rows slow down to 29,000 rows a second as the table
 * grows to 3 million rows, and those of 100,000 rows sustain 82,000.
 */
const MAX_BYTES = 36 * 1024 * 1024

/**
 * How many bytes of lines one bulk transaction takes: about 2.6 million rows, whose WAL in SQLite
 * takes about as many bytes.
 */
export const MAX_BULK_BYTES = 1024 * 1024 * 1024

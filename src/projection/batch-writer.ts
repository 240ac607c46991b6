import { fold, foldDeferred, keysOf } from '../folds/requests.js'
import type { Sums } from '../folds/sums.js'
import { isNameNotDurable } from '../journal/files.js'
import type { Batch } from '../journal/read/batch.js'
import type { SegmentDecoder } from '../journal/read/segment-decoder.js'
import { ProjectionError } from '../store/errors.js'
import type { StoreTransaction } from '../store/port.js'
import { addCounts, emptyCounts, type SegmentCounts, type SegmentPosition } from '../store/positions.js'

/** What one transaction brought in from one segment. */
export interface SegmentProgress {
  /** The position after it. */
  position: SegmentPosition
  counts: SegmentCounts
  firstRejected: Batch['firstRejected']
  firstDroppedCost: Batch['firstDroppedCost']
  bytes: number
}

interface BatchWriterOptions {
  /** A transaction that has begun, or begins with the first line: so looking at a segment takes no write lock. */
  transaction: StoreTransaction | (() => Promise<StoreTransaction>)
  sums: Sums
  /** The bytes of lines that one transaction takes. */
  maxBytes: number
}

/** The segment whose batches are being written. */
interface Entered {
  decoder: SegmentDecoder
  before: SegmentPosition
  isLate: boolean
  last: Batch | null
  /** Whether the segment has a row, to which its lines may refer. */
  hasRow: boolean
  progress: Omit<SegmentProgress, 'position'>
}

/**
 * Writes batches of one segment or of several, one after the other, and their positions, in one transaction. When anything
 * throws, it must be rolled back: then neither rows nor positions have moved.
 */
export class BatchWriter {
  readonly #options: BatchWriterOptions
  #transaction: StoreTransaction | null
  #entered: Entered | null = null
  readonly #segments: SegmentProgress[] = []
  #bytes = 0

  constructor(options: BatchWriterOptions) {
    this.#options = options
    this.#transaction = typeof options.transaction === 'function' ? null : options.transaction
  }

  /** Bytes of lines of the segments that were left. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether the transaction takes no more. */
  get isFull(): boolean {
    const entered = this.#entered
    const bytes = entered === null ? 0 : entered.decoder.position - entered.before.projectedBytes
    return this.#bytes + bytes >= this.#options.maxBytes
  }

  /**
   * Says that the batches to come are of this segment.
   *
   * @param isLate whether lines of a newer segment have been projected.
   */
  enter(decoder: SegmentDecoder, before: SegmentPosition, isLate: boolean): void {
    // Lines before the position would get their rows twice.
    if (decoder.position !== before.projectedBytes) {
      const found = `reading goes on at byte ${decoder.position}`
      throw new Error(`${decoder.path}: ${found}, but ${before.projectedBytes} bytes were projected`)
    }
    const progress = { counts: emptyCounts(), firstRejected: null, firstDroppedCost: null, bytes: 0 }
    const hasRow = before.lastLine !== null
    this.#entered = { decoder, before, isLate, last: null, hasRow, progress }
  }

  /** Folds a batch, and applies its changes. */
  async write(batch: Batch): Promise<void> {
    const entered = this.#current()
    const { progress } = entered
    progress.counts = addCounts(progress.counts, batch.counts)
    progress.firstRejected ??= batch.firstRejected
    progress.firstDroppedCost ??= batch.firstDroppedCost
    entered.last = batch
    if (batch.items.length === 0) return
    const transaction = await this.#begun()
    const known = await transaction.load(keysOf(batch.items))
    const changes = fold(known, batch.items)
    await transaction.apply(changes)
    this.#options.sums.add(changes)
    await this.#writeSums(transaction, false)
  }

  /**
   * Moves the position of the segment that was entered, once what was read is on disk.
   *
   * @param isAtEnd whether nothing more was there.
   * @throws ProjectionError SEGMENT_SYNC_FAILED, POSITION_MOVED.
   */
  async leave(isAtEnd: boolean): Promise<void> {
    const { decoder, before, isLate, last, progress } = this.#current()
    progress.bytes = decoder.position - before.projectedBytes
    if (last === null || progress.bytes === 0) {
      this.#entered = null
      return
    }
    await syncSegment(decoder)
    // Blank lines alone have begun nothing yet.
    const transaction = await this.#begun()
    this.#entered = null
    if (isLate) progress.counts.late = progress.counts.lines
    const position: SegmentPosition = {
      ...before,
      file: decoder.file,
      projectedBytes: last.position.byteOffset,
      projectedCrc32: last.position.crc32,
      caughtUpAt: isAtEnd ? new Date().toISOString() : before.caughtUpAt,
      lastLine: last.position.lastLine,
      counts: addCounts(before.counts, progress.counts),
    }
    if (!(await transaction.advance(before.projectedBytes, position))) {
      const text = `its position is not ${before.projectedBytes} any more: another program writes to this database`
      throw new ProjectionError('POSITION_MOVED', decoder.path, `${text}; stop it, then start again`)
    }
    this.#segments.push({ ...progress, position })
    this.#bytes += progress.bytes
  }

  /** Commits everything that was written. Returns what it brought in, segment by segment. */
  async commit(): Promise<readonly SegmentProgress[]> {
    const transaction = this.#transaction
    if (transaction === null) return []
    for await (const { known, completions } of transaction.deferred()) {
      const changes = foldDeferred(known, completions)
      await transaction.apply(changes)
      this.#options.sums.add(changes)
      await this.#writeSums(transaction, false)
    }
    await this.#writeSums(transaction, true)
    await transaction.commit()
    return this.#segments
  }

  async rollback(): Promise<void> {
    await this.#transaction?.rollback()
  }

  async #begun(): Promise<StoreTransaction> {
    const { transaction } = this.#options
    this.#transaction ??= typeof transaction === 'function' ? await transaction() : transaction
    const entered = this.#current()
    if (entered.hasRow) return this.#transaction
    // The first lines of a segment: its row comes before what refers to it.
    await this.#transaction.addSegment(entered.before)
    entered.hasRow = true
    return this.#transaction
  }

  async #writeSums(transaction: StoreTransaction, isAll: boolean): Promise<void> {
    const { sums } = this.#options
    if (isAll || sums.isFull) await transaction.addSums(sums.take())
  }

  #current(): Entered {
    if (this.#entered === null) throw new Error('no segment was entered')
    return this.#entered
  }
}

/**
 * Before anything that was read is committed: the database must never run ahead of the durable journal.
 *
 * @throws NameNotDurableError when the directory can't be opened: another attempt can succeed.
 * @throws ProjectionError SEGMENT_SYNC_FAILED: trying again would not help, since the kernel reports a lost page once.
 */
async function syncSegment(decoder: SegmentDecoder): Promise<void> {
  try {
    await decoder.sync()
  } catch (error) {
    if (isNameNotDurable(error)) throw error
    const text = `syncing it failed (${error instanceof Error ? error.message : String(error)})`
    const advice = 'look at the disk, then start again'
    throw new ProjectionError(
      'SEGMENT_SYNC_FAILED',
      decoder.path,
      `${text}; nothing was projected from it: ${advice}`,
      { cause: error },
    )
  }
}

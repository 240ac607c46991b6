import { crc32 } from 'node:zlib'
import type { Changes } from '../folds/changes.js'
import { fold, foldDeferred, keysOf } from '../folds/requests.js'
import type { Sums } from '../folds/sums/sums.js'
import { fileIdentity } from '../journal/file-identity.js'
import { isNameNotDurable, reasonOf } from '../journal/file-system.js'
import type { Batch } from '../journal/read/batch.js'
import { segmentBytes } from '../journal/read/open-segment.js'
import type { SegmentDecoder } from '../journal/read/segment-decoder.js'
import type { SegmentSource } from '../journal/read/segment-source.js'
import { ProjectionError } from '../store/errors.js'
import type { StoreTransaction } from '../store/port.js'
import { addCounts, emptyCounts, type SegmentCounts, type SegmentPosition } from '../store/positions.js'
import { repriceWithin } from './repricing.js'

/**
 * Writes the batches of one segment or of several, one after the other, and their positions, in one
 * transaction. If anything throws, call `rollback`; then neither rows nor positions have moved.
 */
export class BatchWriter {
  readonly #options: BatchWriterOptions
  #transaction: StoreTransaction | null
  readonly #segments: SegmentProgress[] = []
  #bytes = 0

  constructor(options: BatchWriterOptions) {
    this.#options = options
    this.#transaction = typeof options.transaction === 'function' ? null : options.transaction
  }

  get isBulk(): boolean {
    return this.#options.isBulk
  }

  /** How many bytes of lines were written. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether the transaction has taken as many bytes of lines as it may. */
  get isFull(): boolean {
    return this.#bytes >= this.#options.maxBytes
  }

  /**
   * Writes a segment's batches until the segment ends, the transaction is full or `shouldStop`
   * returns true. Syncs the segment, then moves its position.
   *
   * @param before the segment's position as it is stored.
   * @returns whether the segment ended.
   * @throws ProjectionError SEGMENT_SYNC_FAILED, POSITION_MOVED.
   */
  async writeSegment(
    decoder: SegmentDecoder,
    before: SegmentPosition,
    { isLate = false, shouldStop = () => false, onBatch }: SegmentOptions = {},
  ): Promise<boolean> {
    const { source } = decoder
    if (source.position !== before.projectedBytes) {
      // Lines would be projected twice, or skipped.
      const found = `reading goes on at byte ${source.position}`
      throw new Error(`${source.path}: ${found}, but ${before.projectedBytes} bytes were projected`)
    }
    const bytesBefore = this.#bytes
    let counts = emptyCounts()
    let firstRejected: Batch['firstRejected'] = null
    let firstDroppedCost: Batch['firstDroppedCost'] = null
    let last: Batch | null = null
    // The segment's row must be inserted before any row that refers to it.
    let hasRow = before.lastLine !== null
    const begin = async () => {
      const { transaction } = this.#options
      this.#transaction ??= typeof transaction === 'function' ? await transaction() : transaction
      if (!hasRow) await this.#transaction.addSegment(before)
      hasRow = true
      return this.#transaction
    }
    let isAtEnd = false
    while (!isAtEnd && !this.isFull && !shouldStop()) {
      const batch = await decoder.read()
      if (batch === null) {
        isAtEnd = true
        continue
      }
      const { items } = batch
      if (items.length > 0) {
        const transaction = await begin()
        const known = await transaction.load(keysOf(items))
        await this.#apply(transaction, fold(known, items))
      }
      last = batch
      counts = addCounts(counts, batch.counts)
      firstRejected ??= batch.firstRejected
      firstDroppedCost ??= batch.firstDroppedCost
      this.#bytes = bytesBefore + source.position - before.projectedBytes
      onBatch?.(batch)
    }
    const bytes = this.#bytes - bytesBefore
    if (last === null || bytes === 0) return isAtEnd
    await syncSegment(source)
    if (isLate) counts.late = counts.lines
    const { byteOffset, crc32, lastLine } = last.position
    const position: SegmentPosition = {
      ...before,
      file: fileIdentity(source.stats),
      projectedBytes: byteOffset,
      projectedCrc32: crc32,
      caughtUpAt: isAtEnd ? new Date().toISOString() : before.caughtUpAt,
      lastLine,
      counts: addCounts(before.counts, counts),
    }
    // If only blank lines were read, no transaction has begun yet.
    const transaction = await begin()
    if (transaction.addBytes !== undefined) await keepBytes(transaction, source, before, position)
    if (!(await transaction.advance(before.projectedBytes, position))) {
      const found = `its position is not ${before.projectedBytes} any more: another program is writing to this database`
      throw new ProjectionError('POSITION_MOVED', source.path, `${found}; stop it, then start again`)
    }
    this.#segments.push({ position, counts, firstRejected, firstDroppedCost, bytes })
    return isAtEnd
  }

  /** Commits everything that was written, and returns the progress of each segment. */
  async commit(): Promise<readonly SegmentProgress[]> {
    const transaction = this.#transaction
    if (transaction === null) return []
    for await (const { known, completions } of transaction.deferred()) {
      await this.#apply(transaction, foldDeferred(known, completions))
    }
    await transaction.dropUnreadPrices?.()
    if (this.#options.repricesAll) await repriceWithin(transaction, this.#options.sums)
    await transaction.addSums(this.#options.sums.take())
    await transaction.commit()
    return this.#segments
  }

  async rollback(): Promise<void> {
    await this.#transaction?.rollback()
  }

  async #apply(transaction: StoreTransaction, changes: Changes): Promise<void> {
    const { sums } = this.#options
    await transaction.apply(changes)
    sums.add(changes)
    if (sums.isFull) await transaction.addSums(sums.take())
  }
}

interface BatchWriterOptions {
  /**
   * A transaction that has begun, or a function that begins one with the first line, so that
   * looking at a segment takes no write lock.
   */
  transaction: StoreTransaction | (() => Promise<StoreTransaction>)
  sums: Sums
  /** Whether this is a bulk transaction, which takes lines of many segments rather than of one. */
  isBulk: boolean
  /**
   * Whether rows whose cost may have changed are repriced before the commit rather than later.
   * @default false
   */
  repricesAll?: boolean
  /** How many bytes of lines fill the transaction. */
  maxBytes: number
}

interface SegmentOptions {
  /** Whether lines of a newer segment have been projected. @default false */
  isLate?: boolean
  /** Called before each batch. @default never */
  shouldStop?: () => boolean
  /** Called after each batch. */
  onBatch?: (batch: Batch) => void
}

/** The progress of one segment in one transaction. */
export interface SegmentProgress {
  /** The position after the transaction. */
  position: SegmentPosition
  counts: SegmentCounts
  firstRejected: Batch['firstRejected']
  firstDroppedCost: Batch['firstDroppedCost']
  bytes: number
}

/**
 * Gives a store the bytes between two positions of a segment. They are read once more, since the
 * decoder keeps none; their checksum proves that they are the ones that were folded.
 *
 * @throws ProjectionError SEGMENT_REPLACED
 */
async function keepBytes(
  transaction: StoreTransaction,
  source: SegmentSource,
  before: SegmentPosition,
  after: SegmentPosition,
): Promise<void> {
  let offset = before.projectedBytes
  let checksum = before.projectedCrc32
  for await (const bytes of segmentBytes(source, offset, after.projectedBytes)) {
    await transaction.addBytes?.(after.id, offset, bytes)
    offset += bytes.length
    checksum = crc32(bytes, checksum)
  }
  if (offset === after.projectedBytes && checksum === after.projectedCrc32) return
  const found = `its bytes from ${before.projectedBytes} to ${after.projectedBytes} changed while they were being read`
  throw new ProjectionError('SEGMENT_REPLACED', source.path, `${found}: check the disk, then start again`)
}

/**
 * Makes what was read durable before it is committed, since the database must never run ahead of
 * the durable journal.
 *
 * @throws NameNotDurableError when the directory can't be opened; another attempt may succeed.
 * @throws ProjectionError SEGMENT_SYNC_FAILED; trying again wouldn't help, since the kernel reports
 *   a lost page only once.
 */
async function syncSegment(source: SegmentSource): Promise<void> {
  try {
    await source.sync()
  } catch (error) {
    if (isNameNotDurable(error)) throw error
    const found = `syncing it failed (${reasonOf(error)}); nothing read since the last commit was projected`
    const text = `${found}: check the disk, then start again`
    throw new ProjectionError('SEGMENT_SYNC_FAILED', source.path, text, { cause: error })
  }
}

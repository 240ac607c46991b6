import type { JournalEvent } from '../events/event-types.js'
import { CompletionCounts } from '../folds/completion-counts.js'
import type { EventFold, RequestsTarget } from '../folds/requests.js'
import { RollupChanges } from '../folds/rollups.js'
import { TokenRatioChanges } from '../folds/token-ratios.js'
import { isNameNotDurable } from '../journal/files.js'
import type { Database } from '../store/sqlite/connection/database.js'
import {
  addCounts,
  advancePosition,
  emptyCounts,
  insertPosition,
  type SegmentCounts,
  type SegmentPosition,
} from '../store/sqlite/positions.js'
import type { Place, ProjectionTables, RejectedLine } from '../store/sqlite/projection-tables.js'
import type { RollupTables } from '../store/sqlite/rollups/rollup-tables.js'
import type { DecodedPart, DecodedSegment, LineTarget } from './decoded-segment.js'
import { ProjectionError } from './errors.js'
import { positionBehind } from './segments/segment-check.js'
import type { UnjournaledRequests } from './unjournaled-requests.js'

/** What one transaction brought in of one segment. */
export interface SegmentBatch {
  /** As it is then. */
  position: SegmentPosition
  counts: SegmentCounts
  firstRejected: DecodedPart['firstRejected']
  firstDroppedCost: DecodedPart['firstDroppedCost']
  bytes: number
}

/** What every transaction on a database works with. */
export interface ProjectionStores {
  database: Database
  tables: ProjectionTables
  rollupTables: RollupTables
  rollupLabels: readonly string[]
  unjournaled: UnjournaledRequests
}

interface TransactionOptions extends ProjectionStores {
  /** Bytes of lines that it takes. */
  maxBytes: number
  /** It may take lines of several segments: what is committed at a time must be much. */
  isBulk: boolean
  /** As RequestsTarget has it. */
  isNew: RequestsTarget['isNew']
  /** Makes the fold of `requests`, at the beginning of the transaction. */
  startFold(target: RequestsTarget): EventFold
}

/** The segment that lines are coming from. */
interface Entered {
  position: SegmentPosition
  isLate: boolean
  counts: SegmentCounts
  firstRejected: DecodedPart['firstRejected']
  firstDroppedCost: DecodedPart['firstDroppedCost']
  /** What refers to the segment's row may be inserted. */
  hasRow: boolean
}

/**
 * One transaction: the lines of one segment or of several, one after the other, folded, and their positions. It begins
 * with the first line, so that looking costs no write lock. When anything throws, it must be rolled back: then neither
 * rows nor positions have moved.
 */
export class ProjectionTransaction implements LineTarget {
  readonly #options: TransactionOptions
  readonly #ratios: TokenRatioChanges
  readonly #counts = new CompletionCounts()
  readonly #rollups: RollupChanges
  #fold: EventFold | null = null
  #entered: Entered | null = null
  #batches: SegmentBatch[] = []
  #bytes = 0

  constructor(options: TransactionOptions) {
    this.#options = options
    this.#ratios = new TokenRatioChanges(options.tables)
    this.#rollups = new RollupChanges(options.rollupTables, options.rollupLabels)
  }

  /** Bytes of lines of the segments that were left. */
  get bytes(): number {
    return this.#bytes
  }

  get isBulk(): boolean {
    return this.#options.isBulk
  }

  get isFull(): boolean {
    return this.#bytes >= this.#options.maxBytes
  }

  /** Full once the segment that was entered is left. */
  isFullWith(decoded: DecodedSegment): boolean {
    const begin = this.#entered?.position.projectedBytes ?? decoded.position
    return this.#bytes + decoded.position - begin >= this.#options.maxBytes
  }

  /** Begins, if it hasn't yet, with a lock that keeps every other writer out. */
  begin(): EventFold {
    if (this.#fold !== null) return this.#fold
    const { database, tables, unjournaled, isNew, startFold } = this.#options
    if (!database.inTransaction) database.exec('BEGIN IMMEDIATE')
    const fold = startFold({
      tables,
      ratios: this.#ratios,
      rollups: this.#rollups,
      counts: this.#counts,
      isNew,
    })
    unjournaled.count(this.#rollups)
    this.#fold = fold
    return fold
  }

  /**
   * The lines to come are of this segment.
   *
   * @param isLate lines of a newer segment have been projected.
   */
  enter(position: SegmentPosition, isLate: boolean): void {
    const hasRow = position.lastLine !== null
    const counts = emptyCounts()
    this.#entered = { position, isLate, counts, firstRejected: null, firstDroppedCost: null, hasRow }
  }

  apply(event: JournalEvent, place: Place): void {
    const fold = this.#fold ?? this.begin()
    // A completion that is held refers to its segment.
    if (this.#entered?.hasRow === false) this.#insertPosition(this.#entered)
    fold.apply(event, place)
  }

  reject(line: RejectedLine): void {
    this.begin()
    if (this.#entered?.hasRow === false) this.#insertPosition(this.#entered)
    this.#options.tables.insertRejectedLine(line)
  }

  count({ counts, firstRejected, firstDroppedCost }: DecodedPart): void {
    const entered = this.#current()
    entered.counts = addCounts(entered.counts, counts)
    entered.firstRejected ??= firstRejected
    entered.firstDroppedCost ??= firstDroppedCost
  }

  /**
   * Moves the position of the segment that was entered, once what was read is on disk.
   *
   * @param isAtEnd nothing more was there.
   * @throws ProjectionError SEGMENT_SYNC_FAILED, POSITION_MOVED.
   */
  async leave(decoded: DecodedSegment, isAtEnd: boolean): Promise<void> {
    const entered = this.#current()
    const { position, counts, firstRejected, firstDroppedCost, isLate } = entered
    this.#entered = null
    const bytes = decoded.position - position.projectedBytes
    if (bytes === 0) return
    await syncSegment(decoded)
    // Blank lines alone have begun nothing yet.
    this.begin()
    if (!entered.hasRow) this.#insertPosition(entered)
    if (isLate) counts.late = counts.lines
    const next = positionBehind(decoded, position, { counts: addCounts(position.counts, counts), isAtEnd })
    if (!advancePosition(this.#options.database, position.projectedBytes, next)) {
      const text = `its position is not ${position.projectedBytes} any more: another program writes to this database`
      throw new ProjectionError('POSITION_MOVED', decoded.path, `${text}; stop it, then start again`)
    }
    this.#batches.push({ position: next, counts, firstRejected, firstDroppedCost, bytes })
    this.#bytes += bytes
  }

  /** Writes what was collected; then the transaction may be committed. */
  finish(): readonly SegmentBatch[] {
    this.#fold?.finish()
    this.#ratios.apply()
    this.#counts.apply(this.#options.tables)
    this.#rollups.apply()
    return this.#batches
  }

  /** @returns what it brought in, segment by segment. */
  commit(): readonly SegmentBatch[] {
    if (this.#fold === null) return []
    const batches = this.finish()
    this.#options.database.exec('COMMIT')
    return batches
  }

  rollback(): void {
    const { database } = this.#options
    if (database.inTransaction) database.exec('ROLLBACK')
  }

  #insertPosition(entered: Entered): void {
    insertPosition(this.#options.database, entered.position)
    entered.hasRow = true
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
async function syncSegment(decoded: DecodedSegment): Promise<void> {
  try {
    await decoded.sync()
  } catch (error) {
    if (isNameNotDurable(error)) throw error
    const text = `syncing it failed (${error instanceof Error ? error.message : String(error)})`
    const advice = 'look at the disk, then start again'
    throw new ProjectionError(
      'SEGMENT_SYNC_FAILED',
      decoded.path,
      `${text}; nothing was projected from it: ${advice}`,
      { cause: error },
    )
  }
}

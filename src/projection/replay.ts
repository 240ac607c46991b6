import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type EntryOf, lastEntries, readManifest } from '../journal/chain/manifest.js'
import { type JournalIdentity, readIdentity } from '../journal/identity.js'
import { archiveFile, listSegments, type Segment } from '../journal/segments.js'
import { BulkTables } from '../store/sqlite/bulk-tables.js'
import { type Database, openDatabase } from '../store/sqlite/connection/database.js'
import { asDatabaseError } from '../store/sqlite/connection/errors.js'
import { acquireProjectorLock, type ProjectorLock } from '../store/sqlite/connection/projector-lock.js'
import { acceptedMissing, acceptMissing } from '../store/sqlite/missing-segments.js'
import {
  addCounts,
  emptyCounts,
  emptyPosition,
  keepOddCompletions,
  readPositions,
  type SegmentCounts,
  type SegmentPosition,
} from '../store/sqlite/positions.js'
import { type Place, ProjectionTables } from '../store/sqlite/projection-tables.js'
import { carriedCompletions, prunedThrough } from '../store/sqlite/pruned.js'
import { HeldReferences } from '../store/sqlite/references.js'
import { clearProjections, newIds, resetNextId } from '../store/sqlite/replay-tables.js'
import {
  clearRollups,
  RollupTables,
  rollupLabels,
  setRollupLabels,
} from '../store/sqlite/rollups/rollup-tables.js'
import { BulkRequests } from './bulk-requests.js'
import type { DecodedSegment } from './decoded-segment.js'
import type { SegmentToOpen } from './offload/decoder-messages.js'
import { type ProjectResult, projectResult } from './projector.js'
import { checkAllThere, checkSame, plainSize } from './replay-checks.js'
import { checkRollupLabels } from './rollup-labels.js'
import { missingSegments, segmentsMissing } from './segments/missing-segments.js'
import { followRenames } from './segments/renamed-segments.js'
import { checkJournal } from './segments/segment-check.js'
import { SegmentOpener } from './segments/segment-opener.js'
import { ProjectionTransaction } from './transaction.js'
import { UnjournaledRequests } from './unjournaled-requests.js'
import { storeVersions } from './versions.js'

/** How far a replay is. */
export interface ReplayProgress {
  /** Read so far. */
  bytes: number
  /** In the journal when the replay began. */
  total_bytes: number
  /** Folded so far. */
  events: number
}

export interface ReplayOptions {
  /** The journal's directory. */
  journal: string
  /** The database file, created when it is missing. */
  database: string
  /** Called after each chunk that was read, and at the end. */
  onProgress?: ((progress: ReplayProgress) => void) | undefined
  /**
   * Rebuild even where segments, or parts of them, are no longer there although they were projected, sealed or
   * archived: their rows are gone then. Later runs do without them too.
   * @default false
   */
  allowMissing?: boolean | undefined
  /**
   * Names of labels that roll-ups are kept by from now on, at most eight.
   * @default those of the database, at first `tier`
   */
  rollupLabels?: readonly string[] | undefined
}

/**
 * Rebuilds every projection from the first line, in one transaction: readers keep the old view until it commits, and a
 * kill leaves the old database whole. Rows that never came from a journal keep their ids. What users' tables refer to stays as
 * it is, and no trigger fires.
 *
 * @throws JournalError JOURNAL_MISSING; DatabaseError PROJECTOR_RUNNING while a projector is at work.
 * @throws DatabaseError ROWS_REFERRED_TO where a user's table refers to a request that would be gone or have another id.
 * @throws ProjectionError OTHER_JOURNAL; SEGMENT_MISSING and SEGMENT_TRUNCATED unless `allowMissing`.
 */
export async function replay(options: ReplayOptions): Promise<ProjectResult> {
  return await replayWith(options)
}

/** @internal The same with a thread that decodes from another size on. */
export async function replayWith(options: ReplayOptions, workerFromBytes?: number): Promise<ProjectResult> {
  const startedAt = performance.now()
  const directory = resolve(options.journal)
  const databasePath = resolve(options.database)
  const identity = readIdentity(directory)
  const database = openDatabase(databasePath)
  let lock: ProjectorLock | null = null
  try {
    lock = acquireProjectorLock(databasePath, 'replay')
    const positions = followRenames(directory, readPositions(database), Date.now())
    checkJournal(positions, identity, databasePath)
    if (options.allowMissing !== true) {
      const through = prunedThrough(database)
      checkAllThere(
        positions.filter((position) => position.id > through),
        directory,
      )
      const known = { positions, prunedThrough: through, accepted: acceptedMissing(database) }
      const missing = missingSegments(directory, readManifest(directory), listSegments(directory), known)
      if (missing.length > 0) throw segmentsMissing(directory, missing)
    }
    const { onProgress, allowMissing = false } = options
    const rollupLabels =
      options.rollupLabels === undefined ? undefined : checkRollupLabels(options.rollupLabels)
    const before = new Map(positions.map((position) => [position.id, position]))
    const counts = await rebuild(database, {
      directory,
      identity,
      onProgress,
      allowMissing,
      rollupLabels,
      before,
      workerFromBytes,
    })
    return projectResult(counts, startedAt)
  } catch (error) {
    throw asDatabaseError(error, databasePath)
  } finally {
    database.close()
    lock?.release()
  }
}

interface RebuildOptions {
  directory: string
  identity: JournalIdentity
  onProgress: ReplayOptions['onProgress']
  allowMissing: boolean
  rollupLabels: readonly string[] | undefined
  /** What had been projected, by segment. */
  before: ReadonlyMap<number, SegmentPosition>
  workerFromBytes: number | undefined
}

async function rebuild(database: Database, options: RebuildOptions): Promise<SegmentCounts> {
  // Requests go and come back: what refers to them must not be deleted meanwhile. Not possible inside the transaction.
  database.pragma('foreign_keys = OFF')
  database.exec('BEGIN IMMEDIATE')
  try {
    const references = new HeldReferences(database)
    const counts = await new ReplayRun(database, options).readAll()
    references.check()
    database.exec('COMMIT')
    database.pragma('wal_checkpoint(TRUNCATE)')
    return counts
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/** The one transaction of a replay. */
class ReplayRun {
  readonly #database: Database
  readonly #options: RebuildOptions
  readonly #transaction: ProjectionTransaction
  readonly #progress: ReplayProgress
  readonly #segments: Segment[]
  readonly #archives: ReadonlyMap<string, EntryOf<'archived'>>
  readonly #prunedThrough: number

  constructor(database: Database, options: RebuildOptions) {
    this.#database = database
    this.#options = options
    const through = prunedThrough(database)
    this.#prunedThrough = through
    this.#segments = listSegments(options.directory).filter((segment) => segment.id > through)
    this.#archives = lastEntries(readManifest(options.directory), 'archived')
    const sizes = this.#sizes()
    this.#progress = { bytes: 0, total_bytes: sizes.reduce((sum, size) => sum + size, 0), events: 0 }
    const bulkTables = new BulkTables(database)
    bulkTables.dropTriggers()
    clearProjections(database, () => bulkTables.dropIndexes())
    clearRollups(database)
    if (options.rollupLabels !== undefined) setRollupLabels(database, options.rollupLabels)
    const unjournaled = new UnjournaledRequests(database)
    this.#transaction = new ProjectionTransaction({
      database,
      tables: new ProjectionTables(database),
      rollupTables: new RollupTables(database),
      rollupLabels: rollupLabels(database),
      unjournaled,
      maxBytes: Number.POSITIVE_INFINITY,
      isBulk: true,
      isNew: (place) => this.#isNew(place),
      startFold: (target) => {
        unjournaled.countAgain(target.rollups)
        const fold = new BulkRequests({ database, target, bulkTables, ids: newIds(database) })
        // They came before everything that is left.
        for (const carried of carriedCompletions(database)) fold.defer(carried)
        return fold
      },
    })
    this.#transaction.begin()
  }

  async readAll(): Promise<SegmentCounts> {
    const { directory, workerFromBytes } = this.#options
    const opener = new SegmentOpener(directory, this.#progress.total_bytes, workerFromBytes)
    try {
      const all = this.#segments.map((segment) => this.#toOpen(segment))
      for await (const { toOpen, decoded } of opener.openEach(all)) {
        await this.#readSegment(toOpen.segment, decoded)
      }
    } finally {
      await opener.close()
    }
    return this.#finish()
  }

  #finish(): SegmentCounts {
    const batches = this.#transaction.finish()
    resetNextId(this.#database)
    this.#acceptMissing()
    if (this.#prunedThrough > 0) keepOddCompletions(this.#database, this.#options.before.values())
    storeVersions(this.#database)
    this.#options.onProgress?.({ ...this.#progress })
    return batches.reduce((total, { counts }) => addCounts(total, counts), emptyCounts())
  }

  /** The next projector and replay do without what this replay did without. */
  #acceptMissing(): void {
    const { directory, allowMissing } = this.#options
    if (!allowMissing) return
    const known = { positions: [], prunedThrough: this.#prunedThrough, accepted: new Set<string>() }
    const missing = missingSegments(directory, readManifest(directory), this.#segments, known)
    acceptMissing(
      this.#database,
      missing.map(({ name }) => name),
    )
  }

  #toOpen(segment: Segment): SegmentToOpen {
    const { directory, identity, allowMissing, before } = this.#options
    return {
      directory,
      segment,
      position: 0,
      positionCrc32: 0,
      journalId: identity.journal_id,
      prefixBytes: allowMissing ? 0 : (before.get(segment.id)?.projectedBytes ?? 0),
      isDigested: !allowMissing,
      endsWhereItDid: true,
    }
  }

  async #readSegment(segment: Segment, decoded: DecodedSegment): Promise<void> {
    const { identity, onProgress, allowMissing, before } = this.#options
    const transaction = this.#transaction
    transaction.enter(emptyPosition(segment.id, segment.name, identity.journal_id, decoded.file), false)
    for (let part = await decoded.read(transaction); part !== null; part = await decoded.read(transaction)) {
      transaction.count(part)
      this.#progress.bytes += part.bytes
      this.#progress.events += part.counts.requests + part.counts.completions
      onProgress?.({ ...this.#progress })
    }
    if (!allowMissing) checkSame(decoded, this.#archives.get(segment.name), before.get(segment.id))
    await transaction.leave(decoded, true)
  }

  #sizes(): number[] {
    const { directory } = this.#options
    return this.#segments.map((segment) => {
      const known = plainSize(directory, segment) ?? this.#archives.get(segment.name)?.bytes
      // Compressed by hand: better than nothing.
      return known ?? statSync(join(directory, archiveFile(segment)), { throwIfNoEntry: false })?.size ?? 0
    })
  }

  /** Not projected before this replay: the counters don't have it yet. */
  #isNew({ segmentId, byteOffset }: Place): boolean {
    if (segmentId <= this.#prunedThrough) return false
    return byteOffset >= (this.#options.before.get(segmentId)?.projectedBytes ?? 0)
  }
}

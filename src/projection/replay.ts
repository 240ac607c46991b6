import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { JournalEvent } from '../events/schema.js'
import { type JournalIdentity, readIdentity } from '../journal/identity.js'
import { type EntryOf, lastEntries, readManifest } from '../journal/manifest.js'
import { archiveFile, listSegments, type Segment } from '../journal/segments.js'
import { type Database, openDatabase } from '../storage/database.js'
import { asDatabaseError } from '../storage/errors.js'
import {
  addCounts,
  advancePosition,
  emptyCounts,
  emptyPosition,
  insertPosition,
  readPositions,
  type SegmentCounts,
  type SegmentPosition,
} from '../storage/positions.js'
import { type Place, ProjectionTables, type RejectedLine } from '../storage/projection-tables.js'
import { acquireProjectorLock, type ProjectorLock } from '../storage/projector-lock.js'
import { carriedCompletions, prunedCompletionTest, prunedThrough } from '../storage/pruned.js'
import { newIds, ReplayTables } from '../storage/replay-tables.js'
import { clearRollups, RollupTables, rollupLabels, setRollupLabels } from '../storage/rollup-tables.js'
import { syncSegment } from './batch.js'
import type { DecodedSegment, LineTarget } from './decoded-segment.js'
import type { SegmentToOpen } from './decoder-messages.js'
import { type ProjectResult, projectResult } from './projector.js'
import { checkAllThere, checkSame, plainSize } from './replay-checks.js'
import { completeRequest } from './requests.js'
import { checkRollupLabels } from './rollup-labels.js'
import { RollupChanges } from './rollups.js'
import { checkJournal, positionBehind } from './segment-check.js'
import { SegmentOpener } from './segment-opener.js'
import { TokenRatioChanges } from './token-ratios.js'
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
   * Rebuild even where rows come from segments, or parts of them, that are no longer there: those rows are gone then.
   * @default false
   */
  allowMissing?: boolean | undefined
  /**
   * Names of labels that roll-ups are kept by from now on, at most eight.
   * @default those of the database, at first `tier`
   */
  rollupLabels?: readonly string[] | undefined
}

/** Measured: with 64 MiB both indexes of a million rows are built without spilling to temporary files. */
const CACHE_KIB = 64 * 1024

/**
 * Rebuilds every projection from the first line, in one transaction: readers keep the old view until it commits, and a
 * kill leaves the old database whole. Rows that never came from a journal keep their ids.
 *
 * @throws JournalError JOURNAL_MISSING; DatabaseError PROJECTOR_RUNNING while a projector is at work.
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
    const positions = readPositions(database)
    checkJournal(positions, identity, databasePath)
    if (options.allowMissing !== true) {
      const through = prunedThrough(database)
      checkAllThere(
        positions.filter((position) => position.id > through),
        directory,
      )
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
  database.pragma(`cache_size = -${CACHE_KIB}`)
  database.exec('BEGIN IMMEDIATE')
  try {
    const run = new ReplayRun(database, options)
    const counts = await run.readAll()
    run.finish()
    database.exec('COMMIT')
    database.pragma('wal_checkpoint(TRUNCATE)')
    return counts
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK')
    throw asDatabaseError(error, database.name)
  }
}

/** The one transaction of a replay. */
class ReplayRun implements LineTarget {
  readonly #database: Database
  readonly #options: RebuildOptions
  readonly #tables: ProjectionTables
  readonly #replayTables: ReplayTables
  readonly #ratios = new TokenRatioChanges()
  readonly #rollups: RollupChanges
  readonly #progress: ReplayProgress
  readonly #segments: Segment[]
  readonly #archives: Map<string, EntryOf<'archived'>>
  readonly #newIds: Generator<number, never>
  readonly #defer: ReturnType<ReplayTables['deferrer']>
  readonly #prunedThrough: number
  #nextId: number
  #toInsert: SegmentPosition | null = null

  constructor(database: Database, options: RebuildOptions) {
    this.#database = database
    this.#options = options
    this.#tables = new ProjectionTables(database)
    this.#replayTables = new ReplayTables(database)
    this.#replayTables.clear()
    clearRollups(database)
    if (options.rollupLabels !== undefined) setRollupLabels(database, options.rollupLabels)
    this.#rollups = new RollupChanges(new RollupTables(database), rollupLabels(database))
    const unjournaled = new UnjournaledRequests(database)
    unjournaled.countAgain(this.#rollups)
    unjournaled.count(this.#rollups)
    this.#newIds = newIds(database)
    this.#nextId = this.#newIds.next().value
    this.#defer = this.#replayTables.deferrer()
    const through = prunedThrough(database)
    this.#prunedThrough = through
    this.#segments = listSegments(options.directory).filter((segment) => segment.id > through)
    this.#archives = lastEntries(readManifest(options.directory), 'archived')
    const sizes = this.#sizes()
    this.#progress = { bytes: 0, total_bytes: sizes.reduce((sum, size) => sum + size, 0), events: 0 }
    // They came before everything that is left.
    for (const carried of carriedCompletions(database)) this.#defer(carried, this.#nextId)
  }

  async readAll(): Promise<SegmentCounts> {
    const { directory, workerFromBytes } = this.#options
    const opener = new SegmentOpener(directory, this.#progress.total_bytes, workerFromBytes)
    let total = emptyCounts()
    try {
      const all = this.#segments.map((segment) => this.#toOpen(segment))
      for await (const { toOpen, decoded } of opener.openEach(all)) {
        total = addCounts(total, await this.#readSegment(toOpen.segment, decoded))
      }
    } finally {
      await opener.close()
    }
    return total
  }

  /** Indexes, then what needs them. */
  finish(): void {
    this.#tables.insertQueued()
    this.#replayTables.createIndexes()
    const findRequest = this.#replayTables.requestFinder()
    const target = {
      tables: this.#tables,
      ratios: this.#ratios,
      rollups: this.#rollups,
      isNew: (place: Place) => this.#isNew(place),
    }
    const wasPruned = prunedCompletionTest(this.#database)
    for (const deferred of this.#replayTables.deferredCompletions()) {
      if (wasPruned(deferred.completion.correlation_id, deferred.place)) continue
      const stored = findRequest(deferred)
      if (stored === undefined) this.#tables.holdCompletion(deferred)
      else completeRequest(target, stored, deferred)
    }
    this.#ratios.apply(this.#tables)
    this.#rollups.apply()
    this.#replayTables.finish()
    storeVersions(this.#database)
    this.#options.onProgress?.({ ...this.#progress })
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

  async #readSegment(segment: Segment, decoded: DecodedSegment): Promise<SegmentCounts> {
    const { identity, onProgress, allowMissing, before } = this.#options
    const position = emptyPosition(segment.id, segment.name, identity.journal_id, decoded.inode)
    this.#toInsert = position
    let counts = emptyCounts()
    for (let part = await decoded.read(this); part !== null; part = await decoded.read(this)) {
      counts = addCounts(counts, part.counts)
      this.#progress.bytes += part.bytes
      onProgress?.({ ...this.#progress })
    }
    if (!allowMissing) checkSame(decoded, this.#archives.get(segment.name), before.get(segment.id))
    if (decoded.position === 0) return counts
    await syncSegment(decoded)
    this.#insertPosition()
    advancePosition(this.#database, 0, positionBehind(decoded, position, { counts, isAtEnd: true }))
    return counts
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

  /** Once for each segment that has a line: a rejected line refers to it. */
  #insertPosition(): void {
    if (this.#toInsert !== null) insertPosition(this.#database, this.#toInsert)
    this.#toInsert = null
  }

  reject(line: RejectedLine): void {
    this.#insertPosition()
    this.#tables.insertRejectedLine(line)
  }

  apply(event: JournalEvent, place: Place): void {
    this.#progress.events++
    if (event.type === 'stream_completed') {
      this.#defer({ completion: event, place }, this.#nextId)
      return
    }
    this.#tables.queueRequest(event, place, this.#nextId)
    this.#ratios.add(event)
    this.#rollups.add(event, this.#isNew(place))
    this.#nextId = this.#newIds.next().value
  }
}

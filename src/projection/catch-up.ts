import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { versionOf } from '../journal/chain/archive-check.js'
import { JournalError } from '../journal/errors.js'
import { fileIdentity } from '../journal/file-identity.js'
import { isMissing } from '../journal/files.js'
import { type JournalIdentity, readIdentity } from '../journal/identity.js'
import { ArchivedSegmentReader } from '../journal/read/archived-segment-reader.js'
import type { SegmentSource } from '../journal/read/open-segment.js'
import { archiveFile, leavingFile, type Segment } from '../journal/segments.js'
import type { Database } from '../store/sqlite/connection/database.js'
import { acceptedMissing, acceptMissing } from '../store/sqlite/missing-segments.js'
import { addCounts, emptyCounts, type SegmentCounts } from '../store/sqlite/positions.js'
import { ProjectionTables } from '../store/sqlite/projection-tables.js'
import { prunedThrough } from '../store/sqlite/pruned.js'
import { RollupTables } from '../store/sqlite/rollups/rollup-tables.js'
import { Backlog, type BacklogSizes } from './backlog.js'
import { ProjectionError } from './errors.js'
import { ProjectedSegments } from './projected-segments.js'
import { chooseRollupLabels } from './rollup-labels.js'
import { SegmentDecoder } from './segment-decoder.js'
import { Archives } from './segments/archives.js'
import { type MissingSegment, missingSegments, segmentsMissing } from './segments/missing-segments.js'
import { checkJournal, checkSegment } from './segments/segment-check.js'
import { SegmentList } from './segments/segment-list.js'
import { SegmentReaders } from './segments/segment-readers.js'
import type { SegmentBatch } from './transaction.js'
import { UnjournaledRequests } from './unjournaled-requests.js'
import { checkVersions } from './versions.js'

/**
 * How long a closed segment may go without a look. Nothing is lost by it: what is added to one is a late line. Looks are
 * spread over that time, and one that finds the file as it was costs a stat: about 2 µs.
 */
const CLOSED_LOOK_MS = 30_000

/** How often the journal is listed anew in one run because a segment of the list was not there. */
const MAX_LISTINGS = 5

export interface CatchUpOptions {
  directory: string
  identity: JournalIdentity
  databasePath: string
  database: Database
  /** The labels to keep roll-ups by; undefined: those of the database. */
  rollupLabels?: readonly string[] | undefined
  /**
   * Go on, now and later, without segments that should be there.
   * @default false
   */
  allowMissing?: boolean | undefined
  /** Called with those that were missing and are done without from now on. */
  onAccepted?: ((missing: readonly MissingSegment[]) => void) | undefined
  /** Called with an archive that was compressed anew and holds what was recorded. */
  onRecompressed?: ((path: string) => void) | undefined
  /** Called after each commit, for each segment that it is of. */
  onBatch?: ((batch: SegmentBatch) => void) | undefined
  backlogSizes?: BacklogSizes | undefined
}

/**
 * Brings the database up to the end of the journal, as often as it is called. Keeps the positions and the open
 * segments in between, which only the holder of the projector's lock may do.
 */
export class CatchUp {
  readonly #options: CatchUpOptions
  readonly #segments: SegmentList
  readonly #projected: ProjectedSegments
  readonly #readers: SegmentReaders
  readonly #archives: Archives
  readonly #backlog: Backlog
  /** Segments up to this one were pruned. */
  readonly #prunedThrough: number
  #accepted: Set<string>
  #closedLookAt = Number.NEGATIVE_INFINITY
  /** Where among the closed segments the next look begins. */
  #nextClosed = 0
  /** What the files of closed segments were when they had been read to their end. */
  readonly #seen = new Map<number, string>()
  #newestId = 0
  #checkedList: readonly Segment[] = []

  /** @throws ProjectionError OTHER_JOURNAL, PROJECTION_OUTDATED, OTHER_ROLLUP_LABELS, and what a check of every segment throws. */
  constructor(options: CatchUpOptions) {
    this.#options = options
    const { database, databasePath, directory, identity, onBatch, backlogSizes } = options
    checkVersions(database, databasePath)
    const stores = {
      database,
      tables: new ProjectionTables(database),
      rollupTables: new RollupTables(database),
      rollupLabels: chooseRollupLabels(database, databasePath, options.rollupLabels),
      unjournaled: new UnjournaledRequests(database),
    }
    const journalId = identity.journal_id
    this.#projected = new ProjectedSegments({ journalId, databasePath, stores, onBatch })
    this.#segments = new SegmentList(directory)
    this.#readers = new SegmentReaders(directory)
    this.#archives = new Archives(directory)
    this.#backlog = new Backlog({
      directory,
      journalId,
      projected: this.#projected,
      readers: this.#readers,
      archives: this.#archives,
      sizes: backlogSizes,
    })
    this.#prunedThrough = prunedThrough(database)
    this.#accepted = acceptedMissing(database)
    checkJournal(this.#projected.all(), identity, databasePath)
  }

  /** As they were last listed; the same array while nothing has changed. */
  segments(): readonly Segment[] {
    return this.#segments.get()
  }

  /**
   * Reads every segment to its end, in order. Closed ones only now and then, unless `isComplete`.
   *
   * @returns what was projected; also when `shouldStop` ended it early, always behind a commit.
   */
  async run(shouldStop: () => boolean, isComplete = false): Promise<SegmentCounts> {
    let total = emptyCounts()
    for (let attempt = 1; ; attempt++) {
      const segments = this.#checkedSegments()
      try {
        const due = this.#dueSegments(segments, isComplete)
        await this.#judgeArchives(due)
        total = addCounts(total, await this.#backlog.project(due, shouldStop))
        for (const segment of due) {
          if (shouldStop()) break
          total = addCounts(total, await this.#projectSegment(segment, shouldStop))
        }
        return total
      } catch (error) {
        // The segments after the one that failed haven't been looked at.
        this.#closedLookAt = Number.NEGATIVE_INFINITY
        if (!hasVanished(error) || attempt === MAX_LISTINGS) throw error
        // It went between being listed and being opened: a new list says whether that was right.
        this.#segments.forget()
      }
    }
  }

  close(): void {
    this.#readers.closeAll()
  }

  /** The newest one; all of them when a newer one has appeared, and now and then. */
  #dueSegments(segments: readonly Segment[], isComplete: boolean): readonly Segment[] {
    const newest = segments.at(-1)
    if (newest === undefined) return []
    const now = performance.now()
    const isAll = isComplete || newest.id !== this.#newestId
    this.#newestId = newest.id
    const closed = segments.length - 1
    const share = isAll ? 1 : Math.min(1, (now - this.#closedLookAt) / CLOSED_LOOK_MS)
    const first = share === 1 ? 0 : this.#nextClosed
    const end = Math.min(closed, first + Math.ceil(share * closed))
    this.#nextClosed = end === closed ? 0 : end
    this.#closedLookAt = now
    return [...segments.slice(first, end), newest].filter((segment) => this.#isDue(segment))
  }

  #isDue(segment: Segment): boolean {
    if (segment.id <= this.#prunedThrough) return false
    if (segment.isArchived && !segment.isLeaving) {
      return this.#archives.isBehind(segment, this.#projected.get(segment))
    }
    const seen = this.#seen.get(segment.id)
    if (segment.id === this.#newestId || seen === undefined) return true
    const path = join(this.#options.directory, segment.isLeaving ? leavingFile(segment) : segment.name)
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
    return stats === undefined || versionOf(stats) !== seen
  }

  async #judgeArchives(due: readonly Segment[]): Promise<void> {
    const { directory, onRecompressed } = this.#options
    for (const segment of due.filter(({ isArchived, isLeaving }) => isArchived && !isLeaving)) {
      if (await this.#archives.judge(segment)) onRecompressed?.(join(directory, archiveFile(segment)))
    }
  }

  async #projectSegment(segment: Segment, shouldStop: () => boolean): Promise<SegmentCounts> {
    // An archive may have been read to its end since it was found due.
    if (!this.#isDue(segment)) return emptyCounts()
    let total = emptyCounts()
    try {
      let reader: SegmentSource
      for (;;) {
        reader = this.#readers.open(segment, this.#projected.get(segment))
        const { stats } = reader
        const file = fileIdentity(stats)
        checkSegment(reader, this.#projected.positionOf(segment, file))
        if (!(reader instanceof ArchivedSegmentReader)) this.#projected.remember(segment, file)
        if (reader.isAtEnd) {
          if (Number(stats.size) === reader.readOffset) this.#seen.set(segment.id, versionOf(stats))
          break
        }
        const transaction = this.#projected.newTransaction(segment, 0)
        try {
          await this.#projected.read(transaction, segment, this.#decoderOf(segment, reader), shouldStop)
          total = addCounts(total, this.#projected.commit(transaction))
        } catch (error) {
          transaction.rollback()
          throw error
        }
        if (!transaction.isFull || shouldStop()) break
      }
      if (reader instanceof ArchivedSegmentReader && reader.isAtEnd) {
        this.#archives.finish(segment, reader.position)
      }
    } catch (error) {
      // Whatever it has read ahead of the position is worthless now.
      this.#readers.close(segment.id)
      throw error
    }
    if (segment.id !== this.#newestId) this.#readers.close(segment.id)
    return total
  }

  #decoderOf(segment: Segment, reader: SegmentSource): SegmentDecoder {
    const journalId = this.#options.identity.journal_id
    const options = { journalId, prefixBytes: 0, isDigested: false, endsWhereItDid: false }
    return new SegmentDecoder(reader, segment, options)
  }

  /** Every segment, once it is sure that this is the journal and that nothing of it is missing. */
  #checkedSegments(): readonly Segment[] {
    const listed = this.#segments.get()
    if (listed === this.#checkedList) return listed
    this.#checkIsSameJournal()
    let segments = listed
    let missing = this.#missingSegments(segments)
    if (missing.some(({ name }) => !this.#accepted.has(name))) {
      // The whole journal may have been away while it was listed, and be back since.
      this.#segments.forget()
      segments = this.#segments.get()
      this.#checkIsSameJournal()
      missing = this.#missingSegments(segments)
    }
    this.#accept(missing)
    this.#checkedList = segments
    return segments
  }

  /** Accepted ones too. */
  #missingSegments(segments: readonly Segment[]): MissingSegment[] {
    const { directory } = this.#options
    const positions = this.#projected.all()
    const known = { positions, prunedThrough: this.#prunedThrough, accepted: new Set<string>() }
    return missingSegments(directory, this.#archives.refresh(), segments, known)
  }

  /** @throws ProjectionError SEGMENT_MISSING, SEGMENT_TRUNCATED unless somebody has said that this is all right. */
  #accept(missing: readonly MissingSegment[]): void {
    const { directory, database, allowMissing = false, onAccepted } = this.#options
    const unaccepted = missing.filter(({ name }) => !this.#accepted.has(name))
    if (unaccepted.length > 0 && !allowMissing) throw segmentsMissing(directory, unaccepted)
    // Smaller where one has come back.
    if (unaccepted.length === 0 && missing.length === this.#accepted.size) return
    const names = missing.map(({ name }) => name)
    acceptMissing(database, names)
    this.#accepted = new Set(names)
    if (unaccepted.length > 0) onAccepted?.(unaccepted)
  }

  /** @throws JournalError when the journal is away for now; ProjectionError OTHER_JOURNAL. */
  #checkIsSameJournal(): void {
    const { directory, identity } = this.#options
    const found = readIdentity(directory)
    if (found.journal_id === identity.journal_id) return
    const text = `the directory holds the journal ${found.journal_id} now, not ${identity.journal_id}`
    throw new ProjectionError('OTHER_JOURNAL', directory, `${text}: put the right one back, then start again`)
  }
}

function hasVanished(error: unknown): boolean {
  return error instanceof JournalError && error.code === 'SEGMENT_UNREADABLE' && isMissing(error.cause)
}

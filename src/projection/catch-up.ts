import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { versionOf } from '../journal/chain/archive-check.js'
import { JournalError } from '../journal/errors.js'
import { fileIdentity } from '../journal/file-identity.js'
import { isMissing } from '../journal/files.js'
import { type JournalIdentity, readIdentity } from '../journal/identity.js'
import { SegmentDecoder } from '../journal/read/segment-decoder.js'
import type { SegmentSource } from '../journal/read/segment-source.js'
import { archiveFile, leavingFile, type Segment } from '../journal/segments.js'
import { ProjectionError } from '../store/errors.js'
import type { Store } from '../store/port.js'
import { addCounts, emptyCounts, type SegmentCounts } from '../store/positions.js'
import { Backlog, type BacklogSizes } from './backlog.js'
import type { SegmentProgress } from './batch-writer.js'
import { ProjectedSegments } from './projected-segments.js'
import { Archives } from './segments/archives.js'
import { type MissingSegment, missingSegments, segmentsMissing } from './segments/missing-segments.js'
import { checkJournal, checkSegment } from './segments/segment-check.js'
import { SegmentList } from './segments/segment-list.js'
import { SegmentReaders } from './segments/segment-readers.js'

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
  store: Store
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
  /** Called after each commit, for each segment that it moved. */
  onProgress?: ((progress: SegmentProgress) => void) | undefined
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
  /** The index among the closed segments at which the next look begins. */
  #nextClosed = 0
  /** The version of each closed segment's file when it had been read to its end. */
  readonly #seen = new Map<number, string>()
  #newestId = 0
  #checkedList: readonly Segment[] = []

  /**
   * @throws ProjectionError OTHER_JOURNAL, PROJECTION_OUTDATED, OTHER_ROLLUP_LABELS, and what a check of every segment
   *   throws.
   */
  static async start(options: CatchUpOptions): Promise<CatchUp> {
    const { store, identity, onProgress } = options
    await store.checkVersions()
    const rollupLabels = await store.chooseRollupLabels(options.rollupLabels)
    const positions = await store.positions()
    checkJournal(positions, identity, store.name)
    const journalId = identity.journal_id
    return new CatchUp(
      options,
      new ProjectedSegments({ journalId, store, rollupLabels, onProgress }, positions),
      { prunedThrough: await store.prunedThrough(), accepted: await store.acceptedMissing() },
    )
  }

  private constructor(
    options: CatchUpOptions,
    projected: ProjectedSegments,
    { prunedThrough, accepted }: { prunedThrough: number; accepted: Set<string> },
  ) {
    const { directory, identity, backlogSizes: sizes } = options
    this.#options = options
    this.#projected = projected
    this.#segments = new SegmentList(directory)
    this.#readers = new SegmentReaders(directory)
    this.#archives = new Archives(directory)
    const parts = { projected, readers: this.#readers, archives: this.#archives }
    this.#backlog = new Backlog({ directory, journalId: identity.journal_id, sizes, ...parts })
    this.#prunedThrough = prunedThrough
    this.#accepted = accepted
  }

  /** The segments as they were last listed; the same array while nothing has changed. */
  segments(): readonly Segment[] {
    return this.#segments.get()
  }

  /**
   * Projects every segment to its end, in order. Closed ones are looked at only now and then, unless `isComplete`.
   *
   * @returns what was projected; also when `shouldStop` ended it early, which it does after a commit only.
   */
  async run(shouldStop: () => boolean, isComplete = false): Promise<SegmentCounts> {
    let total = emptyCounts()
    for (let attempt = 1; ; attempt++) {
      const segments = await this.#checkedSegments()
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

  /** The newest segment; all of them when a newer one has appeared, and now and then. */
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
        if (!reader.isArchive) await this.#projected.remember(segment, file)
        if (reader.isAtEnd) {
          if (Number(stats.size) === reader.readOffset) this.#seen.set(segment.id, versionOf(stats))
          break
        }
        const { writer } = await this.#projected.newWriter(segment, 0)
        try {
          const decoder = new SegmentDecoder(reader, { journalId: this.#options.identity.journal_id })
          await this.#projected.write(writer, segment, decoder, shouldStop)
          total = addCounts(total, await this.#projected.commit(writer))
        } catch (error) {
          await writer.rollback()
          throw error
        }
        if (!writer.isFull || shouldStop()) break
      }
      if (reader.isArchive && reader.isAtEnd) this.#archives.finish(segment, reader.position)
    } catch (error) {
      // Whatever the reader has read ahead of the position is worthless now.
      this.#readers.close(segment.id)
      throw error
    }
    if (segment.id !== this.#newestId) this.#readers.close(segment.id)
    return total
  }

  /** Returns every segment, once it is sure that this is the journal and that nothing of it is missing. */
  async #checkedSegments(): Promise<readonly Segment[]> {
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
    await this.#accept(missing)
    this.#checkedList = segments
    return segments
  }

  /** Includes those that are accepted. */
  #missingSegments(segments: readonly Segment[]): MissingSegment[] {
    const { directory } = this.#options
    const positions = this.#projected.all()
    const known = { positions, prunedThrough: this.#prunedThrough, accepted: new Set<string>() }
    return missingSegments(directory, this.#archives.refresh(), segments, known)
  }

  /** @throws ProjectionError SEGMENT_MISSING, SEGMENT_TRUNCATED unless somebody has said that this is all right. */
  async #accept(missing: readonly MissingSegment[]): Promise<void> {
    const { directory, store, allowMissing = false, onAccepted } = this.#options
    const unaccepted = missing.filter(({ name }) => !this.#accepted.has(name))
    if (unaccepted.length > 0 && !allowMissing) throw segmentsMissing(directory, unaccepted)
    // The same number: none was added, and none has come back.
    if (unaccepted.length === 0 && missing.length === this.#accepted.size) return
    const names = missing.map(({ name }) => name)
    await store.acceptMissing(names)
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

import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { versionOf } from '../journal/chain/archive-check.js'
import { JournalError } from '../journal/errors.js'
import { fileIdentity } from '../journal/file-identity.js'
import { isMissing } from '../journal/file-system.js'
import { SegmentDecoder } from '../journal/read/segment-decoder.js'
import type { SegmentSource } from '../journal/read/segment-source.js'
import { archiveFile, plainFile, plainSize, type Segment } from '../journal/segments.js'
import { ProjectionError } from '../store/errors.js'
import { addCounts, emptyCounts, type SegmentCounts, type SegmentPosition } from '../store/positions.js'
import type { PrunedSegments } from '../store/pruned-segments.js'
import type { BatchWriter, SegmentProgress } from './batch-writer.js'
import { ProjectedSegments } from './projected-segments.js'
import {
  JournalSegments,
  type JournalSegmentsOptions,
  type KnownToJournalSegments,
} from './segments/journal-segments.js'
import { segmentsBeforeNewImport } from './segments/new-imports.js'
import { ProjectedArchives } from './segments/projected-archives.js'
import { checkJournal, checkSealed, checkSegment } from './segments/segment-check.js'
import { SegmentsKeptOpen } from './segments/segments-kept-open.js'

/**
 * Brings the database up to the end of the journal, as often as `projector.ts` calls it: finds the
 * segments that are due, and projects each in transactions of its own or a backlog in bulk. Keeps
 * the positions and the open segments in between, which only the holder of the projector's lock may
 * do.
 */
export class CatchUp {
  readonly #options: CatchUpOptions
  readonly #projected: ProjectedSegments
  readonly #archives: ProjectedArchives
  readonly #segments: JournalSegments
  readonly #openSegments: SegmentsKeptOpen
  readonly #pruned: PrunedSegments
  #closedLookAt = Number.NEGATIVE_INFINITY
  /**
   * The index among the closed segments at which the next look begins. All segments but the newest
   * are closed.
   */
  #nextClosed = 0
  /** The version of each closed segment's file when it had been read to its end. */
  readonly #seen = new Map<number, string>()
  #newestId = 0
  /** The segments whose sealed bytes, if any, have been checked. */
  readonly #sealedChecked = new Set<number>()

  /**
   * @throws ProjectionError OTHER_JOURNAL, PROJECTION_OUTDATED, OTHER_ROLLUP_LABELS.
   */
  static async start(options: CatchUpOptions): Promise<CatchUp> {
    const { directory, store, identity, onProgress } = options
    await store.checkVersions()
    const rollupLabels = await store.chooseRollupLabels(options.rollupLabels)
    const positions = await store.positions()
    checkJournal(positions, identity, store.name)
    const journalId = identity.journal_id
    const projected = new ProjectedSegments({ journalId, store, rollupLabels, onProgress }, positions)
    const [pruned, accepted] = [await store.pruned(), await store.acceptedMissing()]
    return new CatchUp(options, { projected, archives: new ProjectedArchives(directory), pruned, accepted })
  }

  private constructor(options: CatchUpOptions, known: KnownToJournalSegments) {
    this.#options = options
    this.#projected = known.projected
    this.#archives = known.archives
    this.#segments = new JournalSegments(options, known)
    this.#openSegments = new SegmentsKeptOpen(options.directory)
    this.#pruned = known.pruned
  }

  /** The segments as they were last listed; the same array while nothing has changed. */
  segments(): readonly Segment[] {
    return this.#segments.list()
  }

  /** The position in the newest segment that has been projected in part; null if none has. */
  get newestPosition(): SegmentPosition | null {
    return this.#projected.newest()
  }

  /**
   * Projects every segment to where it ends now, in order. The closed segments, which are all but
   * the newest, are looked at only now and then, unless `looksAtEverySegment`.
   *
   * @returns the counts of what was projected, even if `shouldStop` ended the run early, which
   *   happens only after a commit.
   */
  async run(shouldStop: () => boolean, looksAtEverySegment = false): Promise<SegmentCounts> {
    let total = emptyCounts()
    const onCommitted = (counts: SegmentCounts) => {
      total = addCounts(total, counts)
    }
    for (let attempt = 1; ; attempt++) {
      const segments = this.#beforeNewImport(await this.#segments.check())
      try {
        const due = this.#dueSegments(segments, looksAtEverySegment)
        await this.#judgeArchives(due)
        await this.#projectDue(due, { shouldStop, onCommitted })
        return total
      } catch (error) {
        // The segments after the one that failed haven't been looked at.
        this.#closedLookAt = Number.NEGATIVE_INFINITY
        if (!hasVanished(error) || attempt === MAX_LISTINGS) throw error
        // The segment vanished between being listed and being opened. A new list shows whether it
        // was archived or lost.
        this.#segments.forget()
      }
    }
  }

  close(): void {
    this.#openSegments.closeAll()
  }

  #beforeNewImport(segments: readonly Segment[]): readonly Segment[] {
    return segmentsBeforeNewImport(this.#options.directory, segments, {
      isProjected: (segment) => this.#projected.get(segment) !== undefined,
      isRecorded: (segment) => {
        if (this.#archives.bytesOf(segment) === undefined) this.#archives.refresh()
        return this.#archives.bytesOf(segment) !== undefined
      },
    })
  }

  /**
   * Returns the segments that are due, out of the newest one and a window over the closed ones. The
   * window goes round once every CLOSED_LOOK_MS; right after a new segment has appeared, it covers
   * all of them.
   */
  #dueSegments(segments: readonly Segment[], looksAtEverySegment: boolean): readonly Segment[] {
    const newest = segments.at(-1)
    if (newest === undefined) return []
    const now = performance.now()
    const isAll = looksAtEverySegment || newest.id !== this.#newestId
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
    if (this.#pruned.has(segment.id)) return false
    if (segment.state === 'archived') {
      return this.#archives.mustBeOpened(segment, this.#projected.get(segment))
    }
    const seen = this.#seen.get(segment.id)
    if (segment.id === this.#newestId || seen === undefined) return true
    const path = join(this.#options.directory, plainFile(segment))
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
    return stats === undefined || versionOf(stats) !== seen
  }

  async #judgeArchives(due: readonly Segment[]): Promise<void> {
    const { directory, onRecompressed } = this.#options
    for (const segment of due.filter(({ state }) => state === 'archived')) {
      if (await this.#archives.judge(segment)) onRecompressed?.(join(directory, archiveFile(segment)))
    }
  }

  async #projectDue(due: readonly Segment[], run: Run): Promise<void> {
    const waitingBytes = this.#waitingBytes(due)
    if (waitingBytes >= (this.#options.backlogFromBytes ?? BACKLOG_FROM_BYTES)) {
      try {
        await this.#project(due, waitingBytes, run)
        return
      } catch (error) {
        // Projected one by one, the segments before the broken one do get committed, and the broken
        // one then fails again.
        if (!isAboutSegment(error)) throw error
      }
    }
    await this.#project(due, 0, run)
  }

  /** How many bytes haven't been read yet. What was read of an unfinished line doesn't count. */
  #waitingBytes(due: readonly Segment[]): number {
    const { directory } = this.#options
    const waiting = due.map((segment) => {
      const size = plainSize(directory, segment) ?? this.#archives.bytesOf(segment) ?? 0
      return (
        size - (this.#openSegments.readOffset(segment) ?? this.#projected.get(segment)?.projectedBytes ?? 0)
      )
    })
    return waiting.reduce((sum, bytes) => sum + bytes, 0)
  }

  /**
   * Projects segments, each in transactions of its own or, if a backlog waits and bulk is faster,
   * many in one.
   *
   * @param backlogBytes how many bytes of lines wait to be projected; 0 if they aren't a backlog.
   */
  async #project(due: readonly Segment[], backlogBytes: number, run: Run): Promise<void> {
    const uncommitted: Uncommitted = { writer: null, bytesLeft: backlogBytes, finishedArchives: [] }
    try {
      for (const segment of due) {
        await this.#projectSegment(segment, uncommitted, run)
        if (run.shouldStop()) break
      }
      await this.#commit(uncommitted, run)
    } catch (error) {
      await uncommitted.writer?.rollback()
      // The open readers are ahead of the stored positions now, so they can't be used again.
      this.#openSegments.closeAll()
      throw error
    }
  }

  /**
   * Writes a segment's lines until it ends. A writer that doesn't write in bulk is committed after
   * each call, and one that does once it is full.
   */
  async #projectSegment(segment: Segment, uncommitted: Uncommitted, run: Run): Promise<void> {
    let isAtEnd = false
    while (!isAtEnd && !run.shouldStop()) {
      const source = await this.#open(segment)
      const { stats } = source
      const size = Number(stats.size)
      if (!source.isArchive && size === source.readOffset) {
        this.#seen.set(segment.id, versionOf(stats))
        break
      }
      uncommitted.writer ??= await this.#projected.newWriter(segment, uncommitted.bytesLeft)
      const decoder = new SegmentDecoder(source, {
        journalId: this.#options.identity.journal_id,
        // However fast lines come, what has been read must become visible eventually.
        ...(source.isArchive ? {} : { endOffset: size }),
      })
      const before = this.#projected.positionOf(segment, fileIdentity(stats))
      const isLate = this.#projected.isLate(segment)
      isAtEnd = await uncommitted.writer.writeSegment(decoder, before, { isLate, shouldStop: run.shouldStop })
      if (isAtEnd && source.isArchive) uncommitted.finishedArchives.push({ segment, bytes: source.position })
      if (uncommitted.writer.isFull || !uncommitted.writer.isBulk) await this.#commit(uncommitted, run)
    }
    if (segment.id !== this.#newestId) this.#openSegments.close(segment.id)
  }

  async #commit(uncommitted: Uncommitted, { onCommitted }: Run): Promise<void> {
    const { writer, finishedArchives } = uncommitted
    if (writer === null) return
    onCommitted(await this.#projected.commit(writer))
    uncommitted.bytesLeft -= writer.bytes
    uncommitted.writer = null
    uncommitted.finishedArchives = []
    for (const { segment, bytes } of finishedArchives) this.#archives.finish(segment, bytes)
  }

  /**
   * @throws JournalError SEGMENT_UNREADABLE; ProjectionError SEGMENT_TRUNCATED, SEGMENT_REPLACED.
   */
  async #open(segment: Segment): Promise<SegmentSource> {
    const source = this.#openSegments.open(segment, this.#projected.get(segment))
    const file = fileIdentity(source.stats)
    const position = this.#projected.positionOf(segment, file)
    checkSegment(source, position)
    if (!this.#sealedChecked.has(segment.id)) {
      const sealed = this.#archives.sealedEntry(segment)
      const archived = this.#archives.bytesOf(segment) !== undefined
      await checkSealed(source, { sealed, archived }, position.projectedBytes)
      this.#sealedChecked.add(segment.id)
    }
    if (!source.isArchive) await this.#projected.remember(segment, file)
    return source
  }
}

/**
 * The longest time between two looks at a closed segment. No line is lost because of it: a line
 * that is added to a closed segment is a late line. The looks are spread over this time, and a look
 * that finds an unchanged file costs a stat of about 2 µs.
 */
const CLOSED_LOOK_MS = 30_000

/** How many times one run lists the journal because a segment of the list wasn't there. */
const MAX_LISTINGS = 5

/**
 * Fewer bytes than this aren't a backlog: they are projected segment by segment in about a second.
 */
const BACKLOG_FROM_BYTES = 64 * 1024 * 1024

export interface CatchUpOptions extends JournalSegmentsOptions {
  /** The labels to keep roll-ups by; undefined keeps those of the database. */
  rollupLabels?: readonly string[] | undefined
  /** Called with the path of an archive that was compressed again and holds what was recorded. */
  onRecompressed?: ((path: string) => void) | undefined
  /** Called after each commit, for each segment that it moved. */
  onProgress?: ((progress: SegmentProgress) => void) | undefined
  /** How many bytes must wait to be a backlog, which may be written in bulk. @default 64 MiB */
  backlogFromBytes?: number | undefined
}

/** What one call of `#project` has begun and not committed yet. */
interface Uncommitted {
  writer: BatchWriter | null
  /** How much of the backlog is left. */
  bytesLeft: number
  /** The archives that were read to their end. */
  finishedArchives: { segment: Segment; bytes: number }[]
}

/** One call of `CatchUp.run`. */
interface Run {
  shouldStop(): boolean
  onCommitted(counts: SegmentCounts): void
}

function hasVanished(error: unknown): boolean {
  return error instanceof JournalError && error.code === 'SEGMENT_UNREADABLE' && isMissing(error.cause)
}

/**
 * Whether an error is about one segment, so that it will occur again when that segment is projected
 * on its own.
 */
function isAboutSegment(error: unknown): boolean {
  if (error instanceof JournalError) return true
  return (
    error instanceof ProjectionError &&
    (error.code === 'SEGMENT_REPLACED' || error.code === 'SEGMENT_TRUNCATED')
  )
}

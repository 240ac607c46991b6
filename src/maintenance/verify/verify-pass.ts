import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import type { BatchItem } from '../../events/place.js'
import {
  MANIFEST_FILE,
  type Manifest,
  type ManifestEntry,
  readManifest,
} from '../../journal/chain/manifest.js'
import { JournalError } from '../../journal/errors.js'
import type { JournalIdentity } from '../../journal/journal-identity.js'
import { openSegment } from '../../journal/read/open-segment.js'
import { listSegments, type Segment } from '../../journal/segments.js'
import { missingSegments } from '../../projection/segments/missing-segments.js'
import type { SegmentPosition } from '../../store/positions.js'
import { PrunedSegments } from '../../store/pruned-segments.js'
import { countText } from '../count-text.js'
import { ClaimedCompletions } from './claimed-completions.js'
import { compareWithExpected } from './compare-database.js'
import { Stretches } from './comparison.js'
import { ExpectedRows } from './expected-rows.js'
import { placeKey } from './place-problems.js'
import type { Snapshot } from './snapshot.js'
import { ProblemList } from './verify-problems.js'
import { SegmentPass } from './verify-segment.js'

/** How many bytes are read at a time: many, since nothing else needs the event loop here. */
const CHUNK_BYTES = 256 * 1024

/** How far a verification has got. */
export interface VerifyProgress {
  /** Read so far. */
  bytes: number
  /**
   * The size of the journal when it began, with the uncompressed size of archives, where it is
   * known.
   */
  total_bytes: number
  /** Read so far. */
  events: number
}

interface JournalPassOptions {
  directory: string
  identity: JournalIdentity
  /** Null: the journal is checked alone. */
  snapshot: Snapshot | null
  onProgress: ((progress: VerifyProgress) => void) | undefined
}

/**
 * The one pass over the journal: checks its bytes, and folds its events into the expected database.
 */
export class JournalPass {
  readonly problems = new ProblemList()
  readonly counts = {
    segments: 0,
    lines: 0,
    rejected: 0,
    unchecked: 0,
    pending: 0,
    held: 0,
    superseded: 0,
    recompressed: 0,
    accepted_missing: 0,
  }
  readonly manifest: Manifest
  readonly #options: JournalPassOptions
  readonly #segments: Map<number, Segment>
  readonly #entries = new Map<string, ManifestEntry[]>()
  readonly #progress: VerifyProgress
  readonly #snapshot: Snapshot | null
  #expected: ExpectedRows | null = null
  readonly #stretches: Stretches
  /** The places of completions whose request was pruned. */
  readonly #prunedCompletions = new Set<string>()
  /** Whether rows have lost their lines: completions may have been applied to other rows then. */
  #isPartial = false

  constructor(options: JournalPassOptions) {
    this.#options = options
    const { directory, snapshot } = options
    this.#snapshot = snapshot
    this.#stretches = new Stretches(snapshot?.pruned ?? PrunedSegments.NONE)
    this.manifest = readManifest(directory)
    for (const entry of this.manifest.entries) {
      this.#entries.set(entry.segment, [...(this.#entries.get(entry.segment) ?? []), entry])
    }
    this.#segments = new Map(listSegments(directory).map((segment) => [segment.id, segment]))
    const sizes = [...this.#segments.values()].map((segment) => this.#sizeOf(segment))
    this.#progress = { bytes: 0, total_bytes: sizes.reduce((sum, size) => sum + size, 0), events: 0 }
  }

  async readAll(): Promise<void> {
    const { problems } = this
    const snapshot = this.#snapshot
    for (const { byteOffset, detail } of this.manifest.problems) {
      problems.add({ kind: 'chain', segment: MANIFEST_FILE, byte_offset: byteOffset, detail })
    }
    if (snapshot !== null) this.#expected = await ExpectedRows.begin(snapshot.writer)
    const ids = new Set([...this.#segments.keys(), ...(snapshot?.positions.keys() ?? [])])
    for (const id of [...ids].sort((a, b) => a - b)) {
      const segment = this.#segments.get(id)
      if (segment === undefined) await this.#passMissing(id)
      else await this.#readSegment(segment)
    }
    this.#reportUnknownGone()
    await this.#compare()
    this.#options.onProgress?.({ ...this.#progress })
  }

  async #compare(): Promise<void> {
    const snapshot = this.#snapshot
    if (snapshot === null || this.#expected === null) return
    const { problems, counts } = this
    const isClaimed = snapshot.hasLateLines || this.#isPartial
    const isLate = (id: number) => (snapshot.positions.get(id)?.counts.late ?? 0) > 0
    const claimed = isClaimed ? new ClaimedCompletions(snapshot.database, snapshot.writer, isLate) : null
    await this.#expected.finish(claimed)
    snapshot.closeWriter()
    const comparison = { snapshot, problems, stretches: this.#stretches, isClaimed }
    const found = compareWithExpected(comparison, this.#prunedCompletions)
    counts.held = found.held
    counts.superseded = claimed?.superseded ?? found.superseded
  }

  async #readSegment(segment: Segment): Promise<void> {
    const { directory, identity } = this.#options
    const { problems } = this
    const isPruned = this.#isPrunedHere(segment.id)
    if (isPruned) this.#checkPrune(segment)
    const position = isPruned ? null : (this.#snapshot?.positions.get(segment.id) ?? null)
    let pass: SegmentPass | null = null
    let source: ReturnType<typeof openSegment> | null = null
    try {
      source = openSegment(directory, segment, { chunkBytes: CHUNK_BYTES })
      pass = new SegmentPass(source, {
        journalId: identity.journal_id,
        position,
        seals: this.#entries.get(segment.name)?.filter(({ kind }) => kind !== 'pruned') ?? [],
        isAlone: this.#snapshot === null,
        problems,
      })
      if (position !== null) await this.#expected?.enter(position)
      for await (const { items, counts, bytes, events } of pass.read()) {
        await this.#expected?.write(items, counts)
        for (const item of items) this.#note(item)
        this.#progress.bytes += bytes
        this.#progress.events += events
        this.#options.onProgress?.({ ...this.#progress })
      }
      await pass.end()
      if (pass.isRecompressed) this.counts.recompressed++
      this.#endSegment(pass, segment, position)
    } catch (error) {
      if (!(error instanceof JournalError && error.code === 'SEGMENT_UNREADABLE')) throw error
      this.#passUnreadable(segment, source?.position ?? 0, error)
    } finally {
      source?.close()
    }
    if (position !== null) {
      const { projectedBytes, projectedCrc32 } = position
      await this.#expected?.leave({ projectedBytes, projectedCrc32, lastLine: pass?.lastLine ?? null })
    }
    if (pass !== null) this.#addCounts(pass, isPruned)
  }

  #endSegment(pass: SegmentPass, { id }: Segment, position: SegmentPosition | null): void {
    if (position === null) return
    this.#stretches.lateFrom.set(id, pass.lateFrom)
    if (pass.isSame) return
    this.#stretches.altered.add(id)
    this.#isPartial = true
    if (pass.isWhole) return
    const rows = this.#exclude(id, pass.projectedEnd)
    const found = `the segment ends here, but ${position.projectedBytes} bytes of it were projected`
    const detail = `${found}; the lines of ${countText(rows, 'row')} are gone`
    this.problems.addAt('truncated', { segmentId: id, byteOffset: pass.readBytes }, { detail })
  }

  #note(item: BatchItem): void {
    const { segmentId, byteOffset, event } = item
    if (event === null) {
      if (this.#snapshot?.hasRejected(segmentId, byteOffset) !== false) return
      // If it isn't kept as rejected, its row comes from the line as it was before.
      this.#stretches.exclude(segmentId, byteOffset, byteOffset + item.length + 1)
      this.#isPartial = true
    } else if (event.type === 'stream_completed') {
      const isPruned = this.#snapshot?.wasPruned?.(event.correlation_id, item) === true
      if (isPruned) this.#prunedCompletions.add(placeKey(item))
    }
  }

  #addCounts({ projected, pending }: SegmentPass, isPruned: boolean): void {
    const { counts } = this
    counts.segments++
    counts.lines += projected.lines + pending.lines
    counts.rejected += projected.rejected + pending.rejected
    counts.unchecked += projected.unchecked + pending.unchecked
    if (!isPruned) counts.pending += pending.lines
  }

  /** Reports a segment that the database says was pruned, although its file is still there. */
  #checkPrune({ id, name }: Segment): void {
    const found =
      this.#prunedEntry(name) === undefined
        ? 'the database says that this segment was pruned, the manifest does not'
        : 'a prune of this segment has not ended'
    const detail = `${found}: run \`request-journal prune\` again; its rows were not compared`
    this.problems.addAt('unpruned', { segmentId: id, byteOffset: 0 }, { detail })
  }

  #passUnreadable(segment: Segment, byteOffset: number, error: JournalError): void {
    const isCompared = this.#snapshot?.positions.has(segment.id) === true && !this.#isPrunedHere(segment.id)
    const rows = isCompared ? this.#exclude(segment.id, byteOffset) : 0
    this.#stretches.altered.add(segment.id)
    const detail = `${error.message}${rows > 0 ? `; ${countText(rows, 'row')} could not be compared` : ''}`
    this.problems.addAt('unreadable', { segmentId: segment.id, byteOffset }, { detail })
  }

  /** Handles a projected segment that is missing: rightly if it was pruned, here or elsewhere. */
  async #passMissing(id: number): Promise<void> {
    const position = this.#snapshot?.positions.get(id)
    if (position === undefined) return
    const { name, projectedBytes } = position
    const rows = this.#exclude(id, 0)
    const pruned = this.#prunedEntry(name)
    if (pruned !== undefined && (this.#isPrunedHere(id) || pruned.bytes <= projectedBytes)) {
      if (this.#snapshot !== null) await this.#expected?.copySegment(this.#snapshot.database, id)
      return
    }
    const lost = `the lines of ${countText(rows, 'row')} are gone`
    this.#reportGone(name, `${projectedBytes} bytes of it were projected; ${lost}`)
  }

  /** Excludes a segment from this offset on. @returns how many rows come from there. */
  #exclude(segmentId: number, from: number): number {
    this.#stretches.exclude(segmentId, from)
    this.#stretches.altered.add(segmentId)
    this.#isPartial = true
    return this.#snapshot?.countRows(segmentId, from) ?? 0
  }

  /**
   * Reports sealed segments that neither the directory nor the database has, and pruned ones that
   * the database hadn't read. If they are accepted as missing, the database has no rows of them,
   * and nothing is wrong.
   */
  #reportUnknownGone(): void {
    const positions = [...(this.#snapshot?.positions.values() ?? [])]
    const segments = [...this.#segments.values()]
    const known = new Set([...segments, ...positions].map(({ name }) => name))
    const pruned = this.#snapshot?.pruned ?? PrunedSegments.NONE
    const missing = missingSegments(this.#options.directory, this.manifest, segments, {
      positions,
      pruned,
      accepted: new Set(),
    })
    const unread = new Set(missing.map(({ name }) => name))
    for (const [name, entries] of this.#entries) {
      if (!known.has(name) && (this.#prunedEntry(name) === undefined || unread.has(name))) {
        if (this.#snapshot?.accepted.has(name) === true) this.counts.accepted_missing++
        else this.#reportGone(name, `${entries.at(-1)?.bytes} bytes of it were sealed`)
      }
    }
  }

  #reportGone(segment: string, found: string): void {
    const detail = `the segment is gone; ${found}`
    this.problems.add({ kind: 'gone', segment, byte_offset: 0, detail })
  }

  #prunedEntry(name: string): ManifestEntry | undefined {
    return this.#entries.get(name)?.findLast(({ kind }) => kind === 'pruned')
  }

  #isPrunedHere(id: number): boolean {
    return this.#snapshot?.pruned.has(id) === true
  }

  /** The segment's size, for the progress; for an archive, its uncompressed size. */
  #sizeOf(segment: Segment): number {
    if (segment.state !== 'plain') return this.#entries.get(segment.name)?.at(-1)?.bytes ?? 0
    return lstatSync(join(this.#options.directory, segment.name), { throwIfNoEntry: false })?.size ?? 0
  }
}

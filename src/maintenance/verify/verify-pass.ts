import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import {
  MANIFEST_FILE,
  type Manifest,
  type ManifestEntry,
  readManifest,
} from '../../journal/chain/manifest.js'
import { JournalError } from '../../journal/errors.js'
import type { JournalIdentity } from '../../journal/identity.js'
import { ArchivedSegmentReader } from '../../journal/read/archived-segment-reader.js'
import { openSegment } from '../../journal/read/open-segment.js'
import type { SegmentSource } from '../../journal/read/segment-source.js'
import { listSegments, type Segment } from '../../journal/segments.js'
import { countText } from '../count-text.js'
import { LineMatcher } from './verify-lines.js'
import { ProblemList } from './verify-problems.js'
import { SegmentPass } from './verify-segment.js'
import type { Snapshot } from './verify-snapshot.js'

/** How far a verification is. */
export interface VerifyProgress {
  /** Read so far. */
  bytes: number
  /** In the journal when it began; archived segments uncompressed, where that is known. */
  total_bytes: number
  /** Read so far. */
  events: number
}

interface JournalPassOptions {
  directory: string
  identity: JournalIdentity
  snapshot: Snapshot | null
  onProgress: ((progress: VerifyProgress) => void) | undefined
}

/** The one pass over the journal, and beside it over the rows. */
export class JournalPass {
  readonly problems = new ProblemList()
  readonly matcher: LineMatcher | null
  readonly counts = { segments: 0, lines: 0, rejected: 0, unchecked: 0, pending: 0 }
  readonly manifest: Manifest
  readonly #options: JournalPassOptions
  readonly #segments: Map<number, Segment>
  readonly #entries = new Map<string, ManifestEntry[]>()
  readonly #progress: VerifyProgress

  constructor(options: JournalPassOptions) {
    this.#options = options
    const { directory, snapshot } = options
    this.matcher = snapshot === null ? null : new LineMatcher(snapshot, this.problems)
    this.manifest = readManifest(directory)
    for (const entry of this.manifest.entries) {
      this.#entries.set(entry.segment, [...(this.#entries.get(entry.segment) ?? []), entry])
    }
    this.#segments = new Map(listSegments(directory).map((segment) => [segment.id, segment]))
    const sizes = [...this.#segments.values()].map((segment) => this.#sizeOf(segment))
    this.#progress = { bytes: 0, total_bytes: sizes.reduce((sum, size) => sum + size, 0), events: 0 }
  }

  async readAll(): Promise<void> {
    const { problems, matcher } = this
    const { snapshot, onProgress } = this.#options
    for (const { byteOffset, detail } of this.manifest.problems) {
      problems.add({ kind: 'chain', segment: MANIFEST_FILE, byte_offset: byteOffset, detail })
    }
    matcher?.reportMisplaced()
    matcher?.passPruned(snapshot?.prunedThrough ?? 0)
    matcher?.excuseTo({ segmentId: (snapshot?.prunedThrough ?? 0) + 1, byteOffset: 0 })
    const ids = new Set([...this.#segments.keys(), ...(snapshot?.positions.keys() ?? [])])
    for (const id of [...ids].sort((a, b) => a - b)) {
      matcher?.passTo({ segmentId: id, byteOffset: 0 })
      const segment = this.#segments.get(id)
      // What is left of its rows belongs to a prune that hasn't ended.
      if (this.#isPrunedHere(id)) matcher?.excuseTo({ segmentId: id + 1, byteOffset: 0 })
      if (segment === undefined) this.#passMissing(id)
      else await this.#readSegment(segment)
    }
    matcher?.passTo({ segmentId: Number.MAX_SAFE_INTEGER, byteOffset: 0 })
    this.#reportUnknownGone()
    if (snapshot !== null && !problems.hasRowProblems) {
      matcher?.ratios.compare(snapshot, problems)
      matcher?.reportMisnumbered()
      snapshot.compareRollups(problems)
    }
    onProgress?.({ ...this.#progress })
  }

  async #readSegment(segment: Segment): Promise<void> {
    const { directory, identity, snapshot } = this.#options
    const { problems, counts } = this
    const isPruned = this.#isPrunedHere(segment.id)
    if (isPruned) this.#checkPrune(segment)
    const pass = new SegmentPass({
      journalId: identity.journal_id,
      segment,
      position: isPruned ? null : (snapshot?.positions.get(segment.id) ?? null),
      seals: this.#entries.get(segment.name)?.filter(({ kind }) => kind !== 'pruned') ?? [],
      matcher: isPruned ? null : this.matcher,
      isAlone: snapshot === null,
      problems,
    })
    let source: SegmentSource | null = null
    try {
      source = openSegment(directory, segment)
      // Not beyond what is there now: a writer may be faster than this.
      const isArchived = source instanceof ArchivedSegmentReader
      const limit = isArchived ? Number.POSITIVE_INFINITY : Number(source.stats.size)
      while (source.readOffset < limit) {
        const bytes = await pass.readChunk(source)
        if (bytes === 0) break
        this.#addProgress(bytes, pass.events)
      }
      pass.end(source.readOffset)
    } catch (error) {
      if (!(error instanceof JournalError && error.code === 'SEGMENT_UNREADABLE')) throw error
      this.#passUnreadable(segment, source?.position ?? 0, error)
    } finally {
      source?.close()
    }
    this.#progress.events += pass.events
    counts.segments++
    counts.lines += pass.lines
    counts.rejected += pass.rejected
    counts.unchecked += pass.unchecked
    if (!isPruned) counts.pending += pass.pending
  }

  /** The database says that it was pruned, and its file is still there: so the manifest must say the same. */
  #checkPrune({ name }: Segment): void {
    const found =
      this.#prunedEntry(name) === undefined
        ? 'the database says that this segment was pruned, the manifest does not'
        : 'a prune of this segment has not ended'
    const detail = `${found}: run \`request-journal prune\` again; its rows were not compared`
    this.problems.add({ kind: 'unpruned', segment: name, byte_offset: 0, detail })
  }

  #addProgress(bytes: number, eventsOfSegment: number): void {
    this.#progress.bytes += bytes
    const events = this.#progress.events + eventsOfSegment
    this.#options.onProgress?.({ ...this.#progress, events })
  }

  #passUnreadable(segment: Segment, byteOffset: number, error: JournalError): void {
    const rows = this.matcher?.excuseTo({ segmentId: segment.id + 1, byteOffset: 0 }) ?? 0
    this.matcher?.endSegment(false)
    const detail = `${error.message}${rows > 0 ? `; ${countText(rows, 'row')} could not be compared` : ''}`
    this.problems.add({ kind: 'unreadable', segment: segment.name, byte_offset: byteOffset, detail })
  }

  /** A segment that was projected and isn't there; that is right where it was pruned, here or by another database. */
  #passMissing(id: number): void {
    const position = this.#options.snapshot?.positions.get(id)
    const rows = this.matcher?.excuseTo({ segmentId: id + 1, byteOffset: 0 }) ?? 0
    if (position === undefined) return
    const { name, projectedBytes } = position
    const pruned = this.#prunedEntry(name)
    if (pruned !== undefined && (this.#isPrunedHere(id) || pruned.bytes <= projectedBytes)) return
    this.#reportGone(
      name,
      `${projectedBytes} bytes of it were projected; the lines of ${countText(rows, 'row')} are gone`,
    )
  }

  /** Sealed segments that neither the directory nor the database knows. */
  #reportUnknownGone(): void {
    const known = new Set([...this.#segments.values()].map(({ name }) => name))
    for (const position of this.#options.snapshot?.positions.values() ?? []) known.add(position.name)
    for (const [name, entries] of this.#entries) {
      if (!known.has(name) && this.#prunedEntry(name) === undefined) {
        this.#reportGone(name, `${entries.at(-1)?.bytes} bytes of it were sealed`)
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
    return id <= (this.#options.snapshot?.prunedThrough ?? 0)
  }

  /** For the progress; of an archived segment what was archived of it. */
  #sizeOf(segment: Segment): number {
    if (segment.isArchived) return this.#entries.get(segment.name)?.at(-1)?.bytes ?? 0
    return lstatSync(join(this.#options.directory, segment.name), { throwIfNoEntry: false })?.size ?? 0
  }
}

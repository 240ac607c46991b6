import { crc32 } from 'node:zlib'
import { parseLine } from '../../events/line.js'
import type { RejectedLine } from '../../events/placed.js'
import type { EntryOf, ManifestEntry } from '../../journal/chain/manifest.js'
import type { ScannedLine } from '../../journal/read/line-scanner.js'
import { LineDecoder } from '../../journal/read/segment-decoder.js'
import type { SegmentSource } from '../../journal/read/segment-source.js'
import type { Segment } from '../../journal/segments.js'
import type { SegmentPosition } from '../../store/positions.js'
import { countText } from '../count-text.js'
import { differingColumns } from './row-comparer.js'
import { PassingBytes } from './verify-bytes.js'
import type { LineItem, LineMatcher } from './verify-lines.js'
import type { ProblemList } from './verify-problems.js'

export interface SegmentPassOptions {
  journalId: string
  segment: Segment
  /** Null: nothing of it is projected. */
  position: SegmentPosition | null
  /** What the manifest says of its bytes. */
  seals: readonly ManifestEntry[]
  /** Null: there are no rows to match. */
  matcher: LineMatcher | null
  /** There is no database that would know a rejected line from a damaged one. */
  isAlone: boolean
  problems: ProblemList
}

/** One segment, from its first byte to its end. */
export class SegmentPass {
  readonly #options: SegmentPassOptions
  readonly #projectedBytes: number
  readonly #bytes: PassingBytes
  readonly #projected: LineDecoder
  readonly #pending: LineDecoder
  /** Just behind the last whole line of those that were projected. */
  #projectedEnd = 0
  /** A line goes across the position. */
  #isTornPosition = false
  #lastLineCrc32: number | null = null

  constructor(options: SegmentPassOptions) {
    this.#options = options
    const { journalId, segment, position, seals } = options
    this.#projectedBytes = position?.projectedBytes ?? 0
    this.#bytes = new PassingBytes(
      this.#projectedBytes,
      seals.map((seal) => seal.bytes),
    )
    this.#projected = new LineDecoder(segment, journalId)
    this.#pending = new LineDecoder(segment, journalId)
  }

  /** Lines, blank ones not counted. */
  get lines(): number {
    return this.#projected.counts.lines + this.pending
  }

  get events(): number {
    const [projected, pending] = [this.#projected.counts, this.#pending.counts]
    return projected.requests + projected.completions + pending.requests + pending.completions
  }

  get pending(): number {
    return this.#pending.counts.lines
  }

  get rejected(): number {
    return this.#projected.counts.rejected + this.#pending.counts.rejected
  }

  get unchecked(): number {
    return this.#projected.counts.unchecked + this.#pending.counts.unchecked
  }

  /** @returns the bytes that were read; 0 at the end. */
  async readChunk(source: SegmentSource): Promise<number> {
    const chunk = await source.read()
    if (chunk === null) return 0
    this.#bytes.add(chunk.bytes)
    for (const line of chunk.lines) this.#addLine(line)
    return chunk.bytes.length
  }

  /** @param readBytes how long the segment was. */
  end(readBytes: number): void {
    const { segment, position, matcher } = this.#options
    this.#checkSeals(readBytes)
    this.#checkArchive(readBytes)
    if (position === null) return
    const isWhole = readBytes >= position.projectedBytes
    const isSame = isWhole && this.#bytes.crc32 === position.projectedCrc32
    if (!isWhole) this.#reportTruncated(readBytes, position)
    else if (!isSame) {
      this.#report(
        'swapped',
        0,
        `the first ${position.projectedBytes} bytes are not those that were projected`,
      )
    }
    matcher?.passTo({ segmentId: segment.id + 1, byteOffset: 0 })
    matcher?.endSegment(isSame)
    // Of other bytes other counts are no news.
    if (isSame) this.#checkPosition(position)
  }

  #addLine(line: ScannedLine): void {
    const { segment, matcher } = this.#options
    const end = line.byteOffset + line.length
    if (end > this.#projectedBytes) {
      if (line.byteOffset < this.#projectedBytes) this.#isTornPosition = true
      this.#pending.add(line)
      for (const item of this.#pending.items.splice(0)) {
        if (item.event === null) this.#rejectPending(item, line)
      }
      return
    }
    this.#projectedEnd = end
    if (line.byteOffset === this.#options.position?.lastLine?.byteOffset && line.bytes !== null) {
      this.#lastLineCrc32 = crc32('\n', crc32(line.bytes))
    }
    this.#projected.add(line)
    const items = this.#projected.items
      .splice(0)
      .map(
        (item): LineItem =>
          item.event === null ? { place: item, rejected: item } : { place: item, event: item.event },
      )
    if (matcher !== null && items.length > 0) {
      // What was rejected of a line comes after its events, wherever it begins.
      if (items.length > 1) items.sort((a, b) => a.place.byteOffset - b.place.byteOffset)
      const segmentId = segment.id
      matcher.addLine({ segmentId, byteOffset: line.byteOffset }, { segmentId, byteOffset: end }, items)
    }
  }

  /** Without a database nobody knows whether a line was ever good: its own checksum says that it was written whole. */
  #rejectPending({ byteOffset, length, detail }: RejectedLine, line: ScannedLine): void {
    if (!this.#options.isAlone || line.bytes === null) return
    const start = byteOffset - line.byteOffset
    const bytes = line.bytes.subarray(start, start + length)
    const parsed = parseLine(bytes)
    if (!('reason' in parsed)) return
    if (parsed.reason !== 'checksum_mismatch' && parsed.reason !== 'damaged_checksum') return
    this.#report('damaged', byteOffset, `a line that is not what was written: ${detail}`)
  }

  #reportTruncated(readBytes: number, position: SegmentPosition): void {
    const { segment, matcher } = this.#options
    matcher?.passTo({ segmentId: segment.id, byteOffset: this.#projectedEnd })
    const rows = matcher?.excuseTo({ segmentId: segment.id, byteOffset: position.projectedBytes }) ?? 0
    const found = `the segment ends here, but ${position.projectedBytes} bytes of it were projected`
    this.#report('truncated', readBytes, `${found}; the lines of ${countText(rows, 'row')} are gone`)
  }

  #checkSeals(readBytes: number): void {
    for (const { kind, bytes, sha256 } of this.#options.seals) {
      if (readBytes < bytes) {
        this.#report('tampered', readBytes, `the segment ends here, but ${bytes} bytes of it were ${kind}`)
      } else if ((this.#bytes.sha256(bytes) ?? EMPTY_SHA256) !== sha256) {
        this.#report('tampered', 0, `the first ${bytes} bytes are not those that were ${kind}`)
      }
    }
  }

  /** Nothing is ever added to an archive: what is behind the recorded bytes was put there. */
  #checkArchive(readBytes: number): void {
    const { segment, seals } = this.#options
    const archived = seals.findLast((entry): entry is EntryOf<'archived'> => entry.kind === 'archived')
    if (archived === undefined || !segment.isArchived || segment.isLeaving) return
    if (readBytes <= archived.bytes) return
    this.#report('tampered', archived.bytes, `bytes behind the ${archived.bytes} that were archived`)
  }

  #checkPosition(position: SegmentPosition): void {
    const { lines, requests, completions, rejected, unchecked } = this.#projected.counts
    const { lastLine, name, counts } = position
    const expected = {
      name: this.#options.segment.name,
      lines,
      requests,
      completions,
      rejected_lines: rejected,
      unchecked_lines: unchecked,
      last_line_end: this.#projectedEnd,
      last_line_crc32: this.#lastLineCrc32 ?? lastLine?.crc32 ?? null,
    }
    const found = {
      name,
      lines: counts.lines,
      requests: counts.requests,
      completions: counts.completions,
      rejected_lines: counts.rejected,
      unchecked_lines: counts.unchecked,
      last_line_end: lastLine === null ? 0 : lastLine.byteOffset + lastLine.length,
      last_line_crc32: lastLine?.crc32 ?? null,
    }
    this.#options.problems.addDifferences('counts', this.#place(0), differingColumns(expected, found), {
      detail: 'what journal_segments says of the segment is not so',
    })
    if (this.#isTornPosition) {
      this.#report('counts', position.projectedBytes, 'the position is inside a line')
    }
  }

  #report(
    kind: 'swapped' | 'truncated' | 'damaged' | 'tampered' | 'counts',
    byteOffset: number,
    detail: string,
  ) {
    this.#options.problems.addAt(kind, this.#place(byteOffset), { detail })
  }

  #place(byteOffset: number) {
    return { segmentId: this.#options.segment.id, byteOffset }
  }
}

/** Of a segment that was sealed before anything was written to it. */
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

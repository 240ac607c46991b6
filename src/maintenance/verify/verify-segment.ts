import { parseLine } from '../../events/line.js'
import type { BatchItem, RejectedLine } from '../../events/place.js'
import { isRecordedFile } from '../../journal/chain/archive-check.js'
import type { ManifestEntry } from '../../journal/chain/manifest.js'
import type { LastLine, LineCounts } from '../../journal/read/batch.js'
import { isBlank, type ScannedLine } from '../../journal/read/line-scanner.js'
import { LineDecoder, lastLineOf } from '../../journal/read/segment-decoder.js'
import type { SegmentSource } from '../../journal/read/segment-source.js'
import { addCounts, emptyCounts, type SegmentPosition } from '../../store/positions.js'
import { PrefixChecksums } from './prefix-checksums.js'
import type { ProblemList } from './verify-problems.js'

interface SegmentPassOptions {
  journalId: string
  /** Null: nothing of it is projected. */
  position: SegmentPosition | null
  /** What the manifest says of its bytes. */
  seals: readonly ManifestEntry[]
  /** Whether no database shows if a line that can't be read was rejected from the beginning. */
  isAlone: boolean
  problems: ProblemList
}

/** What was read in one step. */
interface PassedChunk {
  bytes: number
  /** The events and rejected lines before the position. */
  items: readonly BatchItem[]
  counts: LineCounts
  /** Requests and completions, also those after the position. */
  events: number
}

/** Reads one segment, from its first byte to its end, and checks its bytes. */
export class SegmentPass {
  /** The lines before the position, and those after it. A line that crosses it is after it. */
  projected = emptyCounts()
  pending = emptyCounts()
  /** The last line before the position, and its end. */
  lastLine: LastLine | null = null
  projectedEnd = 0
  /** The offset of the first line that was projected after lines of a newer segment. */
  lateFrom = Number.POSITIVE_INFINITY
  /** Whether it is an archive that isn't the recorded file, but holds what was archived. */
  isRecompressed = false
  readonly #source: SegmentSource
  readonly #options: SegmentPassOptions
  readonly #projectedBytes: number
  readonly #bytes: PrefixChecksums
  #isTornPosition = false
  #isTampered = false
  #timelyLines: number

  constructor(source: SegmentSource, options: SegmentPassOptions) {
    this.#source = source
    this.#options = options
    const { position, seals } = options
    this.#projectedBytes = position?.projectedBytes ?? 0
    this.#timelyLines = (position?.counts.lines ?? 0) - (position?.counts.late ?? 0)
    this.#bytes = new PrefixChecksums(
      this.#projectedBytes,
      seals.map((seal) => seal.bytes),
    )
  }

  /** How many bytes of it were read. */
  get readBytes(): number {
    return this.#source.readOffset
  }

  /** Whether the bytes are those that were projected. */
  get isSame(): boolean {
    return this.isWhole && this.#bytes.crc32 === (this.#options.position?.projectedCrc32 ?? 0)
  }

  get isWhole(): boolean {
    return this.readBytes >= this.#projectedBytes
  }

  /** Reads the segment chunk by chunk. */
  async *read(): AsyncGenerator<PassedChunk> {
    const source = this.#source
    // Reads only what is there now: a writer may append faster than this reads.
    const limit = source.isArchive ? Number.POSITIVE_INFINITY : Number(source.stats.size)
    while (source.readOffset < limit) {
      const chunk = await source.read()
      if (chunk === null) return
      this.#bytes.add(chunk.bytes)
      const firstAfter = chunk.lines.findIndex((line) => endOf(line) > this.#projectedBytes)
      const border = firstAfter === -1 ? chunk.lines.length : firstAfter
      const { items, counts } = this.#addProjected(chunk.lines.slice(0, border))
      const pending = this.#addPending(chunk.lines.slice(border))
      const events = counts.requests + counts.completions + pending.requests + pending.completions
      yield { bytes: chunk.bytes.length, items, counts, events }
    }
  }

  #addProjected(lines: readonly ScannedLine[]): LineDecoder {
    const decoded = this.#decode(lines)
    this.projected = addCounts(this.projected, decoded.counts)
    const last = lines.at(-1)
    if (last !== undefined) {
      this.lastLine = lastLineOf(this.#source, last)
      this.projectedEnd = endOf(last)
    }
    if (this.#options.position?.counts.late === 0) return decoded
    for (const line of lines) {
      if (isBlank(line)) continue
      if (this.#timelyLines === 0) this.lateFrom = Math.min(this.lateFrom, line.byteOffset)
      else this.#timelyLines--
    }
    return decoded
  }

  #addPending(lines: readonly ScannedLine[]): LineCounts {
    const { items, counts } = this.#decode(lines)
    this.pending = addCounts(this.pending, counts)
    if (lines[0] !== undefined && lines[0].byteOffset < this.#projectedBytes) this.#isTornPosition = true
    for (const item of items) if (item.event === null) this.#rejectPending(item, lines)
    return counts
  }

  #decode(lines: readonly ScannedLine[]): LineDecoder {
    const decoder = new LineDecoder(this.#source.segment, this.#options.journalId)
    for (const line of lines) decoder.add(line)
    return decoder
  }

  /** Without a database, reports a line whose checksum fails: having one, it was once whole. */
  #rejectPending({ byteOffset, length, detail }: RejectedLine, lines: readonly ScannedLine[]): void {
    if (!this.#options.isAlone) return
    const line = lines.find((one) => byteOffset < endOf(one))
    if (line === undefined || line.bytes === null) return
    const start = byteOffset - line.byteOffset
    const parsed = parseLine(line.bytes.subarray(start, start + length))
    if (!('reason' in parsed)) return
    if (parsed.reason !== 'checksum_mismatch' && parsed.reason !== 'damaged_checksum') return
    this.#report('damaged', byteOffset, `the line is not what was written: ${detail}`)
  }

  /** Compares the bytes with what the manifest and the database say of them, once all are read. */
  async end(): Promise<void> {
    const { position, seals } = this.#options
    for (const { kind, bytes, sha256 } of seals) {
      if (this.readBytes < bytes) {
        this.#tampered(this.readBytes, `the segment ends here, but ${bytes} bytes of it were ${kind}`)
      } else if (this.#bytes.sha256(bytes) !== sha256) {
        this.#tampered(0, `the first ${bytes} bytes are not those that were ${kind}`)
      }
    }
    await this.#checkArchive()
    if (position === null || !this.isWhole) return
    if (!this.isSame) {
      const detail = `the first ${position.projectedBytes} bytes are not those that were projected`
      this.#report('swapped', 0, detail)
    } else if (this.#isTornPosition) {
      this.#report('counts', position.projectedBytes, 'the position is inside a line')
    }
  }

  /** Nothing is ever appended to an archive, so bytes after the recorded ones are tampering. */
  async #checkArchive(): Promise<void> {
    const archived = this.#options.seals.findLast((entry) => entry.kind === 'archived')
    if (!this.#source.isArchive || archived === undefined) return
    if (this.readBytes > archived.bytes) {
      this.#tampered(archived.bytes, `bytes after the ${archived.bytes} that were archived`)
    }
    this.isRecompressed = !this.#isTampered && !(await isRecordedFile(this.#source.path, archived))
  }

  #tampered(byteOffset: number, detail: string): void {
    this.#isTampered = true
    this.#report('tampered', byteOffset, detail)
  }

  #report(kind: 'swapped' | 'damaged' | 'tampered' | 'counts', byteOffset: number, detail: string): void {
    this.#options.problems.addAt(kind, { segmentId: this.#source.segment.id, byteOffset }, { detail })
  }
}

function endOf({ byteOffset, length }: ScannedLine): number {
  return byteOffset + length
}

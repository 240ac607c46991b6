import { parseLine } from '../../events/line.js'
import type { RejectedLine } from '../../events/place.js'
import { isRecordedFile } from '../../journal/chain/archive-check.js'
import type { EntryOf, ManifestEntry } from '../../journal/chain/manifest.js'
import type { Batch, LastLine } from '../../journal/read/batch.js'
import { isBlank } from '../../journal/read/line-scanner.js'
import { SegmentDecoder } from '../../journal/read/segment-decoder.js'
import type { SegmentSource } from '../../journal/read/segment-source.js'
import type { Segment } from '../../journal/segments.js'
import { addCounts, emptyCounts, type SegmentPosition } from '../../store/positions.js'
import { PrefixChecksums } from './prefix-checksums.js'
import { endOf, SplitSource } from './split-source.js'
import type { ProblemList } from './verify-problems.js'

export interface SegmentPassOptions {
  journalId: string
  segment: Segment
  /** Null: nothing of it is projected. */
  position: SegmentPosition | null
  /** What the manifest says of its bytes. */
  seals: readonly ManifestEntry[]
  /**
   * Whether there is no database, which would show whether a line that can't be read was rejected
   * from the beginning.
   */
  isAlone: boolean
  problems: ProblemList
}

/** Reads one segment, from its first byte to its end, and checks its bytes. */
export class SegmentPass {
  /** The lines before the position, and those after it. */
  projected = emptyCounts()
  pending = emptyCounts()
  /** The last line before the position. */
  lastLine: LastLine | null = null
  /** The offset of the first line that was projected after lines of a newer segment. */
  lateFrom = Number.POSITIVE_INFINITY
  readonly #options: SegmentPassOptions
  readonly #projectedBytes: number
  readonly #bytes: PrefixChecksums
  readonly #source: SplitSource
  readonly #decoder: SegmentDecoder
  readonly #limit: number
  #isTornPosition = false
  #isTampered = false
  #timelyLines: number

  constructor(source: SegmentSource, options: SegmentPassOptions) {
    this.#options = options
    const { journalId, position, seals } = options
    this.#projectedBytes = position?.projectedBytes ?? 0
    this.#timelyLines = (position?.counts.lines ?? 0) - (position?.counts.late ?? 0)
    this.#bytes = new PrefixChecksums(
      this.#projectedBytes,
      seals.map((seal) => seal.bytes),
    )
    this.#source = new SplitSource(source, this.#projectedBytes, (bytes) => this.#bytes.add(bytes))
    // Reads only what is there now: a writer may append faster than this reads.
    this.#limit = source.isArchive ? Number.POSITIVE_INFINITY : Number(source.stats.size)
    this.#decoder = new SegmentDecoder(this.#source, { journalId })
  }

  /** How many bytes of it were read. */
  get readBytes(): number {
    return this.#source.readOffset
  }

  /** The end of the last line before the position. */
  get projectedEnd(): number {
    return this.#source.positionBefore
  }

  /** Whether the bytes are those that were projected. */
  get isSame(): boolean {
    return this.isWhole && this.#bytes.crc32 === (this.#options.position?.projectedCrc32 ?? 0)
  }

  get isWhole(): boolean {
    return this.readBytes >= this.#projectedBytes
  }

  /** @returns the next batch, all of it either before the position or after it; null at the end. */
  async read(): Promise<(Batch & { isProjected: boolean }) | null> {
    if (!this.#source.isAtBorder && this.readBytes >= this.#limit) return null
    const batch = await this.#decoder.read()
    if (batch === null) return null
    const lines = this.#source.lines
    const [first] = lines
    const isProjected = first === undefined || endOf(first) <= this.#projectedBytes
    if (isProjected) this.#addProjected(batch)
    else {
      if (first.byteOffset < this.#projectedBytes) this.#isTornPosition = true
      this.pending = addCounts(this.pending, batch.counts)
      for (const item of batch.items) if (item.event === null) this.#rejectPending(item)
    }
    return { ...batch, isProjected }
  }

  #addProjected({ counts, position }: Batch): void {
    this.projected = addCounts(this.projected, counts)
    this.lastLine = position.lastLine
    if (this.#options.position?.counts.late === 0) return
    for (const line of this.#source.lines) {
      if (isBlank(line)) continue
      if (this.#timelyLines === 0) this.lateFrom = Math.min(this.lateFrom, line.byteOffset)
      else this.#timelyLines--
    }
  }

  /**
   * Compares the bytes with what the manifest and the database say of them, at the end of the
   * segment.
   */
  end(): void {
    const { position } = this.#options
    this.#checkSeals()
    this.#checkArchive()
    if (position === null || !this.isWhole) return
    if (!this.isSame) {
      const detail = `the first ${position.projectedBytes} bytes are not those that were projected`
      this.#report('swapped', 0, detail)
    } else if (this.#isTornPosition) {
      this.#report('counts', position.projectedBytes, 'the position is inside a line')
    }
  }

  /**
   * Reports a line whose checksum fails, if there is no database: that it has a checksum shows that
   * it was once written whole.
   */
  #rejectPending({ byteOffset, length, detail }: RejectedLine): void {
    if (!this.#options.isAlone) return
    const line = this.#source.lines.find((one) => byteOffset < endOf(one))
    if (line === undefined || line.bytes === null) return
    const start = byteOffset - line.byteOffset
    const parsed = parseLine(line.bytes.subarray(start, start + length))
    if (!('reason' in parsed)) return
    if (parsed.reason !== 'checksum_mismatch' && parsed.reason !== 'damaged_checksum') return
    this.#report('damaged', byteOffset, `the line is not what was written: ${detail}`)
  }

  #checkSeals(): void {
    for (const { kind, bytes, sha256 } of this.#options.seals) {
      if (this.readBytes < bytes) {
        const found = `the segment ends here, but ${bytes} bytes of it were ${kind}`
        this.#report('tampered', this.readBytes, found)
      } else if ((this.#bytes.sha256(bytes) ?? EMPTY_SHA256) !== sha256) {
        this.#report('tampered', 0, `the first ${bytes} bytes are not those that were ${kind}`)
      }
    }
  }

  /**
   * Whether the file of an archive isn't the recorded one, although it holds what was archived.
   * Call it after `end`.
   */
  async isRecompressed(): Promise<boolean> {
    const archived = this.#archived
    if (archived === undefined || this.#isTampered) return false
    return !(await isRecordedFile(this.#source.path, archived))
  }

  /** The manifest's entry about the archive; undefined for a plain file, or if there is none. */
  get #archived(): EntryOf<'archived'> | undefined {
    if (!this.#source.isArchive) return undefined
    return this.#options.seals.findLast((entry) => entry.kind === 'archived')
  }

  /** Nothing is ever appended to an archive, so bytes after the recorded ones are tampering. */
  #checkArchive(): void {
    const archived = this.#archived
    if (archived === undefined || this.readBytes <= archived.bytes) return
    this.#report('tampered', archived.bytes, `bytes after the ${archived.bytes} that were archived`)
  }

  #report(kind: 'swapped' | 'damaged' | 'tampered' | 'counts', byteOffset: number, detail: string): void {
    const place = { segmentId: this.#options.segment.id, byteOffset }
    if (kind === 'tampered') this.#isTampered = true
    this.#options.problems.addAt(kind, place, { detail })
  }
}

/** The hash of a segment that was sealed before anything was written to it. */
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

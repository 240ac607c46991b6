import { crc32 } from 'node:zlib'
import { SegmentDigester } from '../journal/chain/segment-digest.js'
import { type FileIdentity, fileIdentity } from '../journal/file-identity.js'
import { ArchivedSegmentReader } from '../journal/read/archived-segment-reader.js'
import type { SegmentSource } from '../journal/read/open-segment.js'
import type { Segment } from '../journal/segments.js'
import type { SegmentPosition } from '../store/sqlite/positions.js'
import type {
  DecodedPart,
  DecodedSegment,
  DecodeOptions,
  LineTarget,
  SegmentDigests,
} from './decoded-segment.js'
import { LineFold } from './line-fold.js'
import { lastLineChecksum } from './segments/segment-check.js'

/** Reads and decodes a segment on the thread that calls it. */
export class SegmentDecoder implements DecodedSegment {
  readonly isArchive: boolean
  readonly #source: SegmentSource
  readonly #segment: Segment
  readonly #options: DecodeOptions
  readonly #end: number
  readonly #prefix: PrefixChecksum
  readonly #digester: SegmentDigester | null
  #lastLine: { byteOffset: number; length: number } | null = null

  constructor(source: SegmentSource, segment: Segment, options: DecodeOptions) {
    this.isArchive = source instanceof ArchivedSegmentReader
    this.#source = source
    this.#segment = segment
    this.#options = options
    const isEndless = this.isArchive || !options.endsWhereItDid
    this.#end = isEndless ? Number.POSITIVE_INFINITY : Number(source.stats.size)
    this.#prefix = new PrefixChecksum(options.prefixBytes)
    this.#digester = this.isArchive && options.isDigested ? new SegmentDigester() : null
  }

  get path(): string {
    return this.#source.path
  }

  get file(): FileIdentity {
    return fileIdentity(this.#source.stats)
  }

  get position(): number {
    return this.#source.position
  }

  get positionCrc32(): number {
    return this.#source.positionCrc32
  }

  lastLine(): SegmentPosition['lastLine'] {
    if (this.#lastLine === null) return null
    const { byteOffset, length } = this.#lastLine
    return { byteOffset, length, crc32: lastLineChecksum(this.#source, byteOffset, length) }
  }

  async read(target: LineTarget): Promise<DecodedPart | null> {
    if (this.#source.readOffset >= this.#end) return null
    const fold = new LineFold({
      journalId: this.#options.journalId,
      segment: this.#segment,
      apply: (event, place) => target.apply(event, place),
      reject: (line) => target.reject(line),
    })
    const bytes = await this.#source.readChunk(
      (line) => {
        fold.add(line)
        this.#lastLine = { byteOffset: line.byteOffset, length: line.length }
      },
      (chunk) => {
        this.#prefix.add(chunk)
        this.#digester?.add(chunk)
      },
    )
    const { counts, firstRejected, firstDroppedCost } = fold
    return bytes === 0 ? null : { bytes, counts, firstRejected, firstDroppedCost }
  }

  digests(): SegmentDigests {
    return { prefixCrc32: this.#prefix.crc32, sha256: this.#digester?.digest().sha256 ?? null }
  }

  async sync(): Promise<void> {
    await this.#source.sync()
  }

  close(): void {
    this.#source.close()
  }
}

/** CRC-32 of the first bytes of a segment, as they pass. */
class PrefixChecksum {
  crc32 = 0
  #left: number

  constructor(bytes: number) {
    this.#left = bytes
  }

  add(chunk: Buffer): void {
    if (this.#left === 0) return
    const counted = chunk.subarray(0, this.#left)
    this.crc32 = crc32(counted, this.crc32)
    this.#left -= counted.length
  }
}

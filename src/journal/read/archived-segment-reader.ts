import * as fs from 'node:fs'
import { join } from 'node:path'
import { crc32, createGunzip } from 'node:zlib'
import { MAX_LINE_BYTES } from '../../events/line.js'
import { JournalError } from '../errors.js'
import { archiveFile, type SegmentRef } from '../segments.js'
import { LineScanner, type ScannedLine } from './line-scanner.js'
import { openForReading, type ReadFrom, unreadable } from './segment-reader.js'

const NEWLINE = 0x0a
const CHUNK_BYTES = 256 * 1024

/**
 * Reads whole lines of an archived segment, with offsets as in the plain one. What stands before the position is
 * decompressed, compared with its checksum and thrown away.
 */
export class ArchivedSegmentReader {
  readonly segment: SegmentRef
  readonly path: string
  readonly #fd: number
  readonly #file: fs.ReadStream
  readonly #gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  readonly #chunks: AsyncIterator<Buffer>
  readonly #scanner: LineScanner
  #skipBytes: number
  #skippedCrc32 = 0
  #readOffset: number
  #positionCrc32: number
  #readCrc32: number
  #isAtEnd = false
  /** The last chunks, as far back as `bytesAt` may be asked for the last line. */
  #kept: { offset: number; bytes: Buffer }[] = []

  /** @throws JournalError SEGMENT_UNREADABLE when the archive can't be opened or is no regular file. */
  constructor(directory: string, segment: SegmentRef, { position = 0, positionCrc32 = 0 }: ReadFrom = {}) {
    this.segment = segment
    this.path = join(directory, archiveFile(segment))
    this.#fd = openForReading(this.path)
    this.#scanner = new LineScanner(position)
    this.#skipBytes = position
    this.#readOffset = position
    this.#positionCrc32 = positionCrc32
    this.#readCrc32 = positionCrc32
    this.#file = fs.createReadStream('', { fd: this.#fd, autoClose: false, start: 0 })
    this.#file.on('error', (error) => this.#gunzip.destroy(error))
    // The next read throws it.
    this.#gunzip.on('error', () => {})
    this.#chunks = this.#file.pipe(this.#gunzip)[Symbol.asyncIterator]()
  }

  /** Just behind the last whole line that was given out. */
  get position(): number {
    return this.#scanner.position
  }

  /** CRC-32 of all bytes before the position. */
  get positionCrc32(): number {
    return this.#positionCrc32
  }

  /** Behind the last byte that was read. */
  get readOffset(): number {
    return this.#readOffset
  }

  get isAtEnd(): boolean {
    return this.#isAtEnd
  }

  /** Of the archive's file. */
  get stats(): fs.BigIntStats {
    return fs.fstatSync(this.#fd, { bigint: true })
  }

  /**
   * As SegmentReader's.
   *
   * @throws JournalError SEGMENT_UNREADABLE also where the archive is damaged, ends before the position, or has other
   *   bytes before it.
   */
  async readChunk(onLine: (line: ScannedLine) => void, onBytes?: (bytes: Buffer) => void): Promise<number> {
    const chunk = await this.#next()
    if (chunk === null) return 0
    this.#addToChecksum(chunk)
    this.#keep(chunk)
    onBytes?.(chunk)
    this.#scanner.push(chunk, onLine)
    return chunk.length
  }

  /** The bytes at a place, as far as they belong to the last line that was given out, or to its last MiB. */
  bytesAt(byteOffset: number, length: number): Buffer {
    const end = byteOffset + length
    const pieces = this.#kept.map(({ offset, bytes }) =>
      bytes.subarray(Math.max(0, byteOffset - offset), Math.max(0, end - offset)),
    )
    return Buffer.concat(pieces)
  }

  /** Everything read so far survives a power cut. */
  async sync(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      fs.fdatasync(this.#fd, (error) => (error ? reject(error) : resolve()))
    })
  }

  close(): void {
    this.#gunzip.destroy()
    // Closes the descriptor, once a read that is under way has ended.
    this.#file.destroy()
  }

  /** The next bytes behind the position; null at the end. */
  async #next(): Promise<Buffer | null> {
    for (;;) {
      const chunk = await this.#nextOfFile()
      if (this.#skipBytes === 0 || chunk === null) {
        if (chunk === null && this.#skipBytes > 0) throw this.#unlike('it ends before')
        this.#isAtEnd = chunk === null
        return chunk
      }
      const skipped = chunk.subarray(0, this.#skipBytes)
      this.#skippedCrc32 = crc32(skipped, this.#skippedCrc32)
      this.#skipBytes -= skipped.length
      if (this.#skipBytes > 0) continue
      if (this.#skippedCrc32 !== this.#positionCrc32) throw this.#unlike('its bytes differ before')
      if (skipped.length < chunk.length) return chunk.subarray(skipped.length)
    }
  }

  async #nextOfFile(): Promise<Buffer | null> {
    try {
      const { done, value } = await this.#chunks.next()
      return done === true ? null : value
    } catch (error) {
      throw unreadable(this.path, error)
    }
  }

  #unlike(found: string): JournalError {
    const text = `${this.path} is not the segment that was read: ${found} byte ${this.position}`
    const advice = 'bring the right one back from a backup'
    return new JournalError('SEGMENT_UNREADABLE', this.path, `${text}; ${advice}`)
  }

  #addToChecksum(chunk: Buffer): void {
    const endOfLines = chunk.lastIndexOf(NEWLINE) + 1
    if (endOfLines > 0) this.#positionCrc32 = crc32(chunk.subarray(0, endOfLines), this.#readCrc32)
    const before = endOfLines > 0 ? this.#positionCrc32 : this.#readCrc32
    this.#readCrc32 = crc32(chunk.subarray(endOfLines), before)
  }

  /** What may be the last MiB of the last line: that ends at the position, or in what was read last. */
  #keep(chunk: Buffer): void {
    this.#kept.push({ offset: this.#readOffset, bytes: chunk })
    this.#readOffset += chunk.length
    this.#kept = this.#kept.filter(({ offset, bytes }) => {
      const end = offset + bytes.length
      const isBeforePosition = offset < this.position && end > this.position - MAX_LINE_BYTES
      return isBeforePosition || end > this.#readOffset - MAX_LINE_BYTES - CHUNK_BYTES
    })
  }
}

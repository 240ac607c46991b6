import * as fs from 'node:fs'
import { join } from 'node:path'
import { crc32, createGunzip } from 'node:zlib'
import { MAX_LINE_BYTES } from '../../events/line.js'
import { JournalError } from '../errors.js'
import { syncData } from '../file-system.js'
import { archiveFile, type SegmentRef } from '../segments.js'
import { LineScanner } from './line-scanner.js'
import {
  type Chunk,
  openForReading,
  type ReadFrom,
  type SegmentSource,
  unreadable,
} from './segment-source.js'

const CHUNK_BYTES = 256 * 1024

/**
 * Reads whole lines of an archived segment, with the offsets that they have in the plain one. It
 * decompresses the bytes before the position, compares them with their checksum and throws them
 * away.
 */
export class ArchivedSegmentReader implements SegmentSource {
  readonly segment: SegmentRef
  readonly path: string
  readonly isArchive = true
  readonly #fd: number
  readonly #file: fs.ReadStream
  readonly #gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  readonly #chunks: AsyncIterator<Buffer>
  readonly #scanner: LineScanner
  #skipBytes: number
  #skippedCrc32 = 0
  /** The last chunks, from which `bytesAt` takes the last line. */
  #kept: { offset: number; bytes: Buffer }[] = []

  /**
   * @throws JournalError SEGMENT_UNREADABLE when the archive can't be opened or isn't a regular
   *   file.
   */
  constructor(directory: string, segment: SegmentRef, { position = 0, positionCrc32 }: ReadFrom = {}) {
    this.segment = segment
    this.path = join(directory, archiveFile(segment))
    this.#fd = openForReading(this.path)
    this.#scanner = new LineScanner(position, positionCrc32)
    this.#skipBytes = position
    this.#file = fs.createReadStream('', { fd: this.#fd, autoClose: false, start: 0 })
    this.#file.on('error', (error) => this.#gunzip.destroy(error))
    // The next read throws the error.
    this.#gunzip.on('error', () => {})
    this.#chunks = this.#file.pipe(this.#gunzip)[Symbol.asyncIterator]()
  }

  get position(): number {
    return this.#scanner.position
  }

  get positionCrc32(): number {
    return this.#scanner.positionCrc32
  }

  get readOffset(): number {
    return this.#scanner.readOffset
  }

  /** The state of the archive's file. */
  get stats(): fs.BigIntStats {
    return fs.fstatSync(this.#fd, { bigint: true })
  }

  async read(): Promise<Chunk | null> {
    const bytes = await this.#next()
    if (bytes === null) return null
    const offset = this.readOffset
    const lines = this.#scanner.scan(bytes)
    this.#keep(offset, bytes)
    return { bytes, lines }
  }

  bytesAt(byteOffset: number, length: number): Buffer {
    const end = byteOffset + length
    const pieces = this.#kept.map(({ offset, bytes }) =>
      bytes.subarray(Math.max(0, byteOffset - offset), Math.max(0, end - offset)),
    )
    return Buffer.concat(pieces)
  }

  sync(): Promise<void> {
    return syncData(fs, this.#fd)
  }

  close(): void {
    this.#gunzip.destroy()
    // Closes the descriptor once a read that is under way has ended.
    this.#file.destroy()
  }

  /** Returns the next bytes, without those before the first position; null at the end. */
  async #next(): Promise<Buffer | null> {
    for (;;) {
      const chunk = await this.#nextOfFile()
      if (this.#skipBytes === 0 || chunk === null) {
        if (chunk === null && this.#skipBytes > 0) throw this.#mismatch('it ends before')
        return chunk
      }
      const skipped = chunk.subarray(0, this.#skipBytes)
      this.#skippedCrc32 = crc32(skipped, this.#skippedCrc32)
      this.#skipBytes -= skipped.length
      if (this.#skipBytes > 0) continue
      if (this.#skippedCrc32 !== this.positionCrc32) throw this.#mismatch('its bytes differ before')
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

  #mismatch(found: string): JournalError {
    const text = `${this.path} is not the segment that was read: ${found} byte ${this.position}`
    const advice = 'bring the right one back from a backup'
    return new JournalError('SEGMENT_UNREADABLE', this.path, `${text}; ${advice}`)
  }

  /** Keeps the chunks that may hold the last MiB of a line that `bytesAt` can be asked for. */
  #keep(chunkOffset: number, chunk: Buffer): void {
    this.#kept.push({ offset: chunkOffset, bytes: chunk })
    this.#kept = this.#kept.filter(({ offset, bytes }) => {
      const end = offset + bytes.length
      // The last line ends at the position, which stays far before the read offset while a long
      // line is being read: its last MiB is from `position - MAX_LINE_BYTES` to `position`.
      const holdsLastLine = offset < this.position && end > this.position - MAX_LINE_BYTES
      // Verify also asks for lines before the last one, but only for those that end in the chunk
      // that was read last. The last MiB of such a line begins at most a chunk and a MiB before the
      // read offset. Lines that end in the next chunk need nothing before that either.
      const mayHoldEarlierLine = end > this.readOffset - CHUNK_BYTES - MAX_LINE_BYTES
      return holdsLastLine || mayHoldEarlierLine
    })
  }
}

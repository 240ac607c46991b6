import { crc32 } from 'node:zlib'
import { isBlankLine, MAX_LINE_BYTES } from '../../events/line.js'
import { EventRecovery } from '../../events/recovery.js'

const NEWLINE = 0x0a

/** A whole line of a segment. */
export type ScannedLine = {
  /** The offset of the line's first byte. */
  byteOffset: number
  /** In bytes, newline included. */
  length: number
} & (
  | {
      /** The line without its newline. Valid until the next chunk is read: copy it to keep it. */
      bytes: Buffer
      recovery: null
    }
  | {
      /** Null, since a line that is longer than 1 MiB is never held whole. */
      bytes: null
      recovery: Recovered
    }
)

/** The events that were found inside a line that is longer than 1 MiB, and the rest of it. */
export type Recovered = Pick<EventRecovery, 'events' | 'notKept' | 'rest'>

/** Whether a line is white space only, however long. Such a line is skipped and not counted. */
export function isBlank({ bytes, recovery }: ScannedLine): boolean {
  return bytes === null ? recovery.events.length === 0 && recovery.rest === null : isBlankLine(bytes)
}

/**
 * Cuts a stream of bytes into lines, however the stream is chunked. Memory stays bounded for any
 * line: one that is longer than 1 MiB is searched for whole events as it passes and then forgotten.
 */
export class LineScanner {
  #position: number
  #positionCrc32: number
  #readOffset: number
  #readCrc32: number
  /** The beginning of a line whose end hasn't been read yet. */
  #partial: Buffer[] = []
  #partialBytes = 0
  #recovery: EventRecovery | null = null

  /**
   * @param position the byte offset of the first byte to come; a line begins there.
   * @param positionCrc32 CRC-32 of all bytes before the position.
   */
  constructor(position = 0, positionCrc32 = 0) {
    this.#position = position
    this.#positionCrc32 = positionCrc32
    this.#readOffset = position
    this.#readCrc32 = positionCrc32
  }

  /** The byte offset after the last whole line. */
  get position(): number {
    return this.#position
  }

  /** CRC-32 of all bytes before the position. */
  get positionCrc32(): number {
    return this.#positionCrc32
  }

  /** The byte offset after the last byte that was scanned, which may be inside a line. */
  get readOffset(): number {
    return this.#readOffset
  }

  /** How many bytes of a last line without a newline were scanned. */
  get pendingBytes(): number {
    return this.#partialBytes
  }

  /** Takes the next chunk, and returns the lines that end in it. */
  scan(chunk: Buffer): ScannedLine[] {
    const lines: ScannedLine[] = []
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      lines.push(this.#endLine(chunk.subarray(start, end)))
      start = end + 1
    }
    if (start > 0) {
      this.#positionCrc32 = crc32(chunk.subarray(0, start), this.#readCrc32)
      this.#readCrc32 = this.#positionCrc32
    }
    if (start < chunk.length) {
      const rest = chunk.subarray(start)
      this.#readCrc32 = crc32(rest, this.#readCrc32)
      this.#addPartial(rest)
    }
    this.#readOffset += chunk.length
    return lines
  }

  #endLine(end: Buffer): ScannedLine {
    const byteOffset = this.#position
    const length = this.#partialBytes + end.length + 1
    this.#position += length
    if (this.#recovery === null && length <= MAX_LINE_BYTES) {
      const bytes = this.#partialBytes === 0 ? end : Buffer.concat([...this.#partial, end])
      this.#partial = []
      this.#partialBytes = 0
      return { byteOffset, length, bytes, recovery: null }
    }
    const recovery = this.#recovery ?? this.#startRecovery(byteOffset)
    recovery.push(end)
    this.#recovery = null
    this.#partialBytes = 0
    return { byteOffset, length, bytes: null, recovery }
  }

  #addPartial(piece: Buffer): void {
    this.#partialBytes += piece.length
    if (this.#recovery === null && this.#partialBytes >= MAX_LINE_BYTES) {
      this.#recovery = this.#startRecovery(this.#position)
    }
    if (this.#recovery !== null) this.#recovery.push(piece)
    // Copied, because the caller reuses its chunk.
    else this.#partial.push(Buffer.from(piece))
  }

  #startRecovery(byteOffset: number): EventRecovery {
    const recovery = new EventRecovery(byteOffset)
    for (const piece of this.#partial) recovery.push(piece)
    this.#partial = []
    return recovery
  }
}

import type { BigIntStats } from 'node:fs'
import type { ScannedLine } from '../../journal/read/line-scanner.js'
import type { Chunk, SegmentSource } from '../../journal/read/segment-source.js'
import type { SegmentRef } from '../../journal/segments.js'

/**
 * Wraps the source of a segment so that no chunk has lines from both before and after a border. A
 * line that crosses the border counts as after it.
 */
export class SplitSource implements SegmentSource {
  /** The lines of the last chunk, valid until the next one is read. */
  lines: readonly ScannedLine[] = []
  /** The byte offset after the last line before the border, once it was read. */
  positionBefore = 0
  readonly #source: SegmentSource
  readonly #borderOffset: number
  readonly #onBytes: (bytes: Buffer) => void
  #rest: Chunk | null = null

  constructor(source: SegmentSource, borderOffset: number, onBytes: (bytes: Buffer) => void) {
    this.#source = source
    this.#borderOffset = borderOffset
    this.#onBytes = onBytes
  }

  /** Whether lines after the border have been read, but not returned yet. */
  get isAtBorder(): boolean {
    return this.#rest !== null
  }

  async read(): Promise<Chunk | null> {
    const rest = this.#rest
    this.#rest = null
    const chunk = rest ?? (await this.#readBoth())
    if (chunk === null) return null
    this.lines = chunk.lines
    return chunk
  }

  async #readBoth(): Promise<Chunk | null> {
    const chunk = await this.#source.read()
    if (chunk === null) return null
    const { bytes, lines } = chunk
    this.#onBytes(bytes)
    const firstAfter = lines.findIndex((line) => endOf(line) > this.#borderOffset)
    const before = firstAfter === -1 ? lines : lines.slice(0, firstAfter)
    const last = before.at(-1)
    if (last !== undefined) this.positionBefore = endOf(last)
    if (before.length === 0 || before.length === lines.length) return chunk
    this.#rest = { bytes: bytes.subarray(bytes.length), lines: lines.slice(firstAfter) }
    return { bytes, lines: before }
  }

  get segment(): SegmentRef {
    return this.#source.segment
  }

  get path(): string {
    return this.#source.path
  }

  get isArchive(): boolean {
    return this.#source.isArchive
  }

  get position(): number {
    return this.#source.position
  }

  get positionCrc32(): number {
    return this.#source.positionCrc32
  }

  get readOffset(): number {
    return this.#source.readOffset
  }

  get isAtEnd(): boolean {
    return this.#rest === null && this.#source.isAtEnd
  }

  get stats(): BigIntStats {
    return this.#source.stats
  }

  bytesAt(byteOffset: number, length: number): Buffer {
    return this.#source.bytesAt(byteOffset, length)
  }

  async sync(): Promise<void> {
    await this.#source.sync()
  }

  close(): void {
    this.#source.close()
  }
}

export function endOf({ byteOffset, length }: ScannedLine): number {
  return byteOffset + length
}

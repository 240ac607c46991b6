import { lstatSync } from 'node:fs'
import { MAX_LINE_BYTES } from '../../events/line.js'
import { fileIdentity, isSameFile } from '../../journal/file-identity.js'
import { openSegment } from '../../journal/read/open-segment.js'
import type { SegmentSource } from '../../journal/read/segment-source.js'
import type { Segment } from '../../journal/segments.js'
import type { SegmentPosition } from '../../store/positions.js'

/** Keeps segments open between two looks. Each has been read up to its position. */
export class SegmentsKeptOpen {
  readonly #directory: string
  readonly #readers = new Map<number, SegmentSource>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /**
   * Returns the open reader of a segment, or opens one at the position. If the path of an open one
   * now leads to another file, or if the part of a line that it keeps may be stale, it is closed
   * and another one is opened at the position. Bytes that no newline ends aren't final: whoever
   * copies or mends the file may have replaced them. A part of MAX_LINE_BYTES or more is kept all
   * the same, since reading so much again at each look would take too long.
   */
  open(segment: Segment, position: SegmentPosition | undefined): SegmentSource {
    const open = this.#readers.get(segment.id)
    if (open !== undefined) {
      const onDisk = lstatSync(open.path, { bigint: true, throwIfNoEntry: false })
      const keepsPart = open.readOffset > open.position && open.readOffset - open.position < MAX_LINE_BYTES
      const isStale = keepsPart && onDisk?.size !== BigInt(open.readOffset)
      const isSame = onDisk !== undefined && isSameFile(fileIdentity(onDisk), fileIdentity(open.stats))
      if (isSame && !isStale) return open
      this.close(segment.id)
    }
    const reader = openSegment(this.#directory, segment, {
      position: position?.projectedBytes,
      positionCrc32: position?.projectedCrc32,
    })
    this.#readers.set(segment.id, reader)
    return reader
  }

  /** How far a segment has been read, if it is open. */
  readOffset({ id }: Segment): number | undefined {
    return this.#readers.get(id)?.readOffset
  }

  close(id: number): void {
    this.#readers.get(id)?.close()
    this.#readers.delete(id)
  }

  closeAll(): void {
    for (const id of [...this.#readers.keys()]) this.close(id)
  }
}

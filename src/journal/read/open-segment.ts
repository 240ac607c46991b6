import { dirname } from 'node:path'
import { JournalError } from '../errors.js'
import { isMissing } from '../file-system.js'
import type { Segment } from '../segments.js'
import { ArchivedSegmentReader } from './archived-segment-reader.js'
import { SegmentReader } from './segment-reader.js'
import type { ReadFrom, SegmentSource } from './segment-source.js'

/**
 * Opens a segment's plain file, or its `.gone` file, or its archive. Archiving replaces them in
 * this order, so one of them is found even while the segment is being archived.
 *
 * @throws JournalError SEGMENT_UNREADABLE
 */
export function openSegment(directory: string, segment: Segment, from: ReadFrom = {}): SegmentSource {
  const attempts = [
    ...(segment.state === 'plain' ? [() => new SegmentReader(directory, segment, from)] : []),
    () => new SegmentReader(directory, { ...segment, state: 'leaving' }, from),
    () => new ArchivedSegmentReader(directory, segment, from),
  ]
  let missing: unknown
  for (const open of attempts) {
    try {
      return open()
    } catch (error) {
      if (!(error instanceof JournalError && isMissing(error.cause))) throw error
      missing ??= error
    }
  }
  throw missing
}

/** How many bytes of a plain segment are read at a time. */
const PIECE_BYTES = 1024 * 1024

/**
 * Reads bytes of a segment once more, as they are in its plain file, or fewer if the file ends
 * first. An archive is decompressed from its beginning to get them.
 *
 * @param end the offset after the last byte.
 * @throws JournalError SEGMENT_UNREADABLE
 */
export async function* segmentBytes(
  source: SegmentSource,
  byteOffset: number,
  end: number,
): AsyncGenerator<Buffer> {
  if (!source.isArchive) {
    for (let offset = byteOffset; offset < end; offset += PIECE_BYTES) {
      yield source.bytesAt(offset, Math.min(PIECE_BYTES, end - offset))
    }
    return
  }
  const archive = new ArchivedSegmentReader(dirname(source.path), source.segment)
  try {
    for (let offset = 0; offset < end; offset = archive.readOffset) {
      const chunk = await archive.read()
      if (chunk === null) return
      const wanted = chunk.bytes.subarray(Math.max(0, byteOffset - offset), end - offset)
      if (wanted.length > 0) yield wanted
    }
  } finally {
    archive.close()
  }
}

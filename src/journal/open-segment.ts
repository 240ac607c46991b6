import { ArchivedSegmentReader } from './archived-segment-reader.js'
import { JournalError } from './errors.js'
import { isMissing } from './files.js'
import { SegmentReader } from './segment-reader.js'
import type { Segment } from './segments.js'

/** A segment's whole lines from a position onwards, wherever they are kept. */
export type SegmentSource = Pick<
  SegmentReader,
  | 'segment'
  | 'path'
  | 'position'
  | 'positionCrc32'
  | 'readOffset'
  | 'isAtEnd'
  | 'stats'
  | 'readChunk'
  | 'bytesAt'
  | 'sync'
  | 'close'
>

/**
 * Opens the plain file, or the one that is about to leave, or the archive: in the order in which archiving goes, so that
 * one of them is found even if that happens meanwhile.
 *
 * @param position where a line begins.
 * @param positionCrc32 CRC-32 of all bytes before the position.
 * @throws JournalError SEGMENT_UNREADABLE
 */
export function openSegment(
  directory: string,
  segment: Segment,
  position = 0,
  positionCrc32 = 0,
): SegmentSource {
  const attempts = [
    ...(segment.isArchived
      ? []
      : [() => new SegmentReader(directory, { ...segment, isLeaving: false }, position, positionCrc32)]),
    () => new SegmentReader(directory, { ...segment, isLeaving: true }, position, positionCrc32),
    () => new ArchivedSegmentReader(directory, segment, position, positionCrc32),
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

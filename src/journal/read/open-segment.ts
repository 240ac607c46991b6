import { JournalError } from '../errors.js'
import { isMissing } from '../files.js'
import type { Segment } from '../segments.js'
import { ArchivedSegmentReader } from './archived-segment-reader.js'
import { SegmentReader } from './segment-reader.js'
import type { ReadFrom, SegmentSource } from './segment-source.js'

/**
 * Opens a segment's plain file, or the one that is about to leave, or the archive. That is the
 * order in which archiving makes them, so one of them is found even if it happens meanwhile.
 *
 * @throws JournalError SEGMENT_UNREADABLE
 */
export function openSegment(directory: string, segment: Segment, from: ReadFrom = {}): SegmentSource {
  const attempts = [
    ...(segment.isArchived
      ? []
      : [() => new SegmentReader(directory, { ...segment, isLeaving: false }, from)]),
    () => new SegmentReader(directory, { ...segment, isLeaving: true }, from),
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

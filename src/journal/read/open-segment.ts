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

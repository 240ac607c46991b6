import { SegmentReader } from './segment-reader.js'
import type { Segment } from './segments.js'

/** A segment's whole lines from its first byte, wherever they are kept. */
export type SegmentSource = Pick<
  SegmentReader,
  'segment' | 'path' | 'position' | 'readOffset' | 'readChunk' | 'close'
>

/** @throws JournalError SEGMENT_UNREADABLE */
export function openSegment(directory: string, segment: Segment): SegmentSource {
  return new SegmentReader(directory, segment)
}

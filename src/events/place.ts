import type { JournalEvent, StreamCompleted } from './event-types.js'

// What has a place in the journal: events and rejected lines.

/** Where a line is in its journal: an event's identity everywhere. */
export interface Place {
  /** The segment's day × 1000 + its number, which gives the order of segments. */
  segmentId: number
  /** The offset of the line's first byte in the segment. */
  byteOffset: number
}

/** Whether a place comes before another one in the order of the journal. */
export function isBefore(a: Place, b: Place): boolean {
  return comparePlaces(a, b) < 0
}

/** Compares two places by the order of the journal, for a sort. */
export function comparePlaces(a: Place, b: Place): number {
  return a.segmentId - b.segmentId || a.byteOffset - b.byteOffset
}

/** An event and its place. */
export interface PlacedEvent extends Place {
  event: JournalEvent
}

/** A whole line, or the rest of one, that can't be projected. */
export interface RejectedLine extends Place {
  event: null
  /** In bytes, without the newline. */
  length: number
  reason: string
  /** One sentence for people: what was found. */
  detail: string
  /** How the line begins, for people. */
  excerpt: string
}

/** What a stream_completed changes in a row, and its place. Rows don't need its timestamp. */
export interface PlacedCompletion {
  completion: Omit<StreamCompleted, 'type' | 'timestamp' | 'attempt'> & { attempt?: number | null }
  place: Place
}

/** One thing that a batch holds. */
export type BatchItem = PlacedEvent | RejectedLine

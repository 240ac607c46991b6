import type { JournalEvent } from '../events/event-types.js'
import type { FileIdentity } from '../journal/file-identity.js'
import type { SegmentCounts, SegmentPosition } from '../store/sqlite/positions.js'
import type { Place, RejectedLine } from '../store/sqlite/projection-tables.js'
import type { FirstDroppedCost, FirstRejected } from './line-fold.js'

/** Where decoded lines go: each event and each rejected line, in the order of the journal. */
export interface LineTarget {
  apply(event: JournalEvent, place: Place): void
  reject(line: RejectedLine): void
}

/** What one step of reading brought in. */
export interface DecodedPart {
  /** Read from the segment, or from the archive once decompressed. */
  bytes: number
  counts: SegmentCounts
  firstRejected: FirstRejected
  firstDroppedCost: FirstDroppedCost
}

/** Digests of a segment's bytes, as far as they were asked for and the bytes have passed. */
export interface SegmentDigests {
  /** CRC-32 of the first `prefixBytes` bytes. */
  prefixCrc32: number
  /** Of all whole lines; null when it wasn't asked for. */
  sha256: string | null
}

export interface DecodeOptions {
  /** For the ids of foreign lines. */
  journalId: string
  /** How much of the beginning `prefixCrc32` is about. */
  prefixBytes: number
  /** Whether an archive's SHA-256 is asked for. */
  isDigested: boolean
  /** Ends where the segment ended when it was opened, rather than at its end: lines may come as fast as they are read. */
  endsWhereItDid: boolean
}

/** A segment that is being read and decoded, on this thread or on another. */
export interface DecodedSegment {
  readonly path: string
  readonly isArchive: boolean
  readonly file: FileIdentity
  /** Just behind the last whole line that was handed out. */
  readonly position: number
  /** CRC-32 of all bytes before the position. */
  readonly positionCrc32: number
  /** The last line that was handed out, as SegmentPosition has it; null: none was. */
  lastLine(): SegmentPosition['lastLine']
  /** Hands out what comes next. Null at the end. */
  read(target: LineTarget): Promise<DecodedPart | null>
  /** All of it, once it was read to its end. */
  digests(): SegmentDigests
  /** Everything that was read survives a power cut. */
  sync(): Promise<void>
  close(): void
}

import type { CostField } from '../../events/fields.js'
import type { Rejection } from '../../events/line.js'
import type { BatchItem, Place } from '../../events/place.js'
import type { SegmentRef } from '../segments.js'

/** The whole lines that were read in one step from one segment, decoded. */
export interface Batch {
  segment: SegmentRef
  /** Events and rejected lines, in the order of the journal. */
  items: readonly BatchItem[]
  counts: LineCounts
  /** How far the segment has been read: all lines before it are in this batch or an earlier one. */
  position: ReadPosition
  /** How many bytes were read; for an archive, after decompression. */
  bytes: number
  firstRejected: (Rejection & Place) | null
  /** The first cost that isn't finite, such as 1e999, and is therefore unknown. */
  firstDroppedCost: { member: CostField; byteOffset: number } | null
}

/** How many lines of each kind a batch has. */
export interface LineCounts {
  /** Whole lines, without blank ones. */
  lines: number
  requests: number
  completions: number
  prices: number
  rates: number
  rejected: number
  /** Events accepted without a checksum. */
  unchecked: number
}

/** A boundary between two lines. */
export interface ReadPosition {
  /** The byte offset after a newline, or 0. */
  byteOffset: number
  /** CRC-32 of all bytes before it. */
  crc32: number
  lastLine: LastLine | null
}

/** The last line before a position, newline included; for a line over 1 MiB, its last MiB. */
export interface LastLine {
  byteOffset: number
  length: number
  crc32: number
}

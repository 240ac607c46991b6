import type { LastLine, LineCounts } from '../journal/read/batch.js'

/** How far one segment is projected, and how to tell that it is still the same. */
export interface SegmentPosition {
  /** The day's digits × 1000 + the number, such as 20261122001. */
  id: number
  journalId: string
  name: string
  /**
   * The file that was read last. The device is null in a position that was written before devices
   * were known.
   */
  file: { device: string | null; inode: string }
  /** Everything before this byte is projected. It follows a newline, or is 0. */
  projectedBytes: number
  /** CRC-32 of all bytes before the position. */
  projectedCrc32: number
  /** When the position was last at the end of the segment; null if it never was. */
  caughtUpAt: string | null
  /** The last projected line. Null if there is none. */
  lastLine: LastLine | null
  counts: SegmentCounts
  /**
   * How many of the segment's completions were irregular when this was read. The counts may still
   * grow: a completion that is held counts once its request comes, perhaps in a later segment.
   */
  irregular: IrregularCompletions
}

export interface IrregularCompletions {
  /** Completions that changed a row that had one already. */
  repeated: number
  /** Completions that named no attempt, and found several rows open. */
  ambiguous: number
}

export interface SegmentCounts extends LineCounts {
  /** Lines projected after lines of a newer segment. */
  late: number
}

export function emptyCounts(): SegmentCounts {
  return { lines: 0, requests: 0, completions: 0, prices: 0, rates: 0, rejected: 0, unchecked: 0, late: 0 }
}

export function addCounts(a: SegmentCounts, b: LineCounts & { late?: number }): SegmentCounts {
  const sum = emptyCounts()
  for (const name of Object.keys(sum) as (keyof SegmentCounts)[]) sum[name] = a[name] + (b[name] ?? 0)
  return sum
}

/** The position of a segment from which nothing has been projected. */
export function emptyPosition(
  id: number,
  name: string,
  journalId: string,
  file: SegmentPosition['file'],
): SegmentPosition {
  return {
    id,
    name,
    journalId,
    file,
    projectedBytes: 0,
    projectedCrc32: 0,
    caughtUpAt: null,
    lastLine: null,
    counts: emptyCounts(),
    irregular: { repeated: 0, ambiguous: 0 },
  }
}

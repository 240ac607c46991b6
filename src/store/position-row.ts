import type { SegmentPosition } from './positions.js'

/** A row of `journal_segments`, with the journal's id, in either store. */
export interface PositionRow {
  id: number
  journal_id: string
  name: string
  device: string | null
  inode: string
  projected_bytes: number
  projected_crc32: number
  caught_up_at: string | null
  last_line_offset: number | null
  last_line_length: number | null
  last_line_crc32: number | null
  lines: number
  requests: number
  completions: number
  rejected_lines: number
  unchecked_lines: number
  late_lines: number
  prices: number
  rates: number
  repeated_completions: number
  ambiguous_completions: number
}

/** The position that a row holds. */
export function positionOfRow(row: PositionRow): SegmentPosition {
  return {
    id: row.id,
    journalId: row.journal_id,
    name: row.name,
    file: { device: row.device, inode: row.inode },
    projectedBytes: row.projected_bytes,
    projectedCrc32: row.projected_crc32,
    caughtUpAt: row.caught_up_at,
    lastLine:
      row.last_line_offset === null || row.last_line_length === null || row.last_line_crc32 === null
        ? null
        : { byteOffset: row.last_line_offset, length: row.last_line_length, crc32: row.last_line_crc32 },
    counts: {
      lines: row.lines,
      requests: row.requests,
      completions: row.completions,
      prices: row.prices,
      rates: row.rates,
      rejected: row.rejected_lines,
      unchecked: row.unchecked_lines,
      late: row.late_lines,
    },
    irregular: { repeated: row.repeated_completions, ambiguous: row.ambiguous_completions },
  }
}

/** The columns that change when a position moves, and the value that each gets. */
const MOVED: Readonly<Record<string, (position: SegmentPosition) => string | number | null>> = {
  device: ({ file }) => file.device,
  inode: ({ file }) => file.inode,
  projected_bytes: ({ projectedBytes }) => projectedBytes,
  projected_crc32: ({ projectedCrc32 }) => projectedCrc32,
  caught_up_at: ({ caughtUpAt }) => caughtUpAt,
  last_line_offset: ({ lastLine }) => lastLine?.byteOffset ?? null,
  last_line_length: ({ lastLine }) => lastLine?.length ?? null,
  last_line_crc32: ({ lastLine }) => lastLine?.crc32 ?? null,
  lines: ({ counts }) => counts.lines,
  requests: ({ counts }) => counts.requests,
  completions: ({ counts }) => counts.completions,
  rejected_lines: ({ counts }) => counts.rejected,
  unchecked_lines: ({ counts }) => counts.unchecked,
  late_lines: ({ counts }) => counts.late,
  prices: ({ counts }) => counts.prices,
  rates: ({ counts }) => counts.rates,
}

export const MOVED_COLUMNS = Object.keys(MOVED)

/** The values that `MOVED_COLUMNS` get. */
export function movedValues(position: SegmentPosition) {
  return Object.values(MOVED).map((read) => read(position))
}

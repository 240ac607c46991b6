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

/** The columns that change when a position moves, in the order of {@link movedValues}. */
export const MOVED_COLUMNS = [
  'device',
  'inode',
  'projected_bytes',
  'projected_crc32',
  'caught_up_at',
  'last_line_offset',
  'last_line_length',
  'last_line_crc32',
  'lines',
  'requests',
  'completions',
  'rejected_lines',
  'unchecked_lines',
  'late_lines',
  'prices',
  'rates',
] as const

export function movedValues({ file, projectedBytes, projectedCrc32, caughtUpAt, ...rest }: SegmentPosition) {
  const { counts, lastLine } = rest
  return [
    file.device,
    file.inode,
    projectedBytes,
    projectedCrc32,
    caughtUpAt,
    lastLine?.byteOffset ?? null,
    lastLine?.length ?? null,
    lastLine?.crc32 ?? null,
    counts.lines,
    counts.requests,
    counts.completions,
    counts.rejected,
    counts.unchecked,
    counts.late,
    counts.prices,
    counts.rates,
  ]
}

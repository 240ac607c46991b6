import type { FileIdentity } from '../../journal/file-identity.js'
import type { Database } from './connection/database.js'

/** What has been projected of one segment, and how to tell that it is still the same. */
export interface SegmentPosition {
  /** day × 1000 + number. */
  id: number
  journalId: string
  name: string
  /** The file that was read last. Its device is null where a version that didn't know it has written the position. */
  file: { device: string | null; inode: string }
  /** Everything before this byte is projected; just behind a newline, or 0. */
  projectedBytes: number
  /** Of all bytes before the position. */
  projectedCrc32: number
  /** When the position last stood at the end of the segment; null: never yet. */
  caughtUpAt: string | null
  /** The last projected line, newline included; of a line over 1 MiB its last MiB. Null when there is none. */
  lastLine: { byteOffset: number; length: number; crc32: number } | null
  counts: SegmentCounts
  /** Completions, as they were when this was read: a later segment may add to them what was held. */
  odd: OddCompletions
}

export interface OddCompletions {
  /** Landed on a row that had one already. */
  repeated: number
  /** Named no attempt, and found several rows open. */
  ambiguous: number
}

export interface SegmentCounts {
  /** Whole lines, blank ones not counted. */
  lines: number
  /** Rows that came from this segment. */
  requests: number
  completions: number
  rejected: number
  /** Accepted without a checksum. */
  unchecked: number
  /** Projected after lines of a newer segment. */
  late: number
}

interface PositionRow {
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
  repeated_completions: number
  ambiguous_completions: number
}

export function emptyCounts(): SegmentCounts {
  return { lines: 0, requests: 0, completions: 0, rejected: 0, unchecked: 0, late: 0 }
}

export function addCounts(a: SegmentCounts, b: SegmentCounts): SegmentCounts {
  return {
    lines: a.lines + b.lines,
    requests: a.requests + b.requests,
    completions: a.completions + b.completions,
    rejected: a.rejected + b.rejected,
    unchecked: a.unchecked + b.unchecked,
    late: a.late + b.late,
  }
}

/** A segment of which nothing has been projected. */
export function emptyPosition(
  id: number,
  name: string,
  journalId: string,
  file: SegmentPosition['file'],
): SegmentPosition {
  const counts = emptyCounts()
  return {
    id,
    name,
    journalId,
    file,
    projectedBytes: 0,
    projectedCrc32: 0,
    caughtUpAt: null,
    lastLine: null,
    counts,
    odd: { repeated: 0, ambiguous: 0 },
  }
}

/** All positions, in the order of the segments. */
export function readPositions(database: Database): SegmentPosition[] {
  const rows = database.prepare<[], PositionRow>('SELECT * FROM journal_segments ORDER BY id').all()
  return rows.map((row) => ({
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
      rejected: row.rejected_lines,
      unchecked: row.unchecked_lines,
      late: row.late_lines,
    },
    odd: { repeated: row.repeated_completions, ambiguous: row.ambiguous_completions },
  }))
}

/** Adds a segment's row, so that lines can refer to it. */
export function insertPosition(database: Database, position: SegmentPosition): void {
  const { id, journalId, name, file } = position
  const sql = 'INSERT INTO journal_segments (id, journal_id, name, device, inode) VALUES (?, ?, ?, ?, ?)'
  database.prepare(sql).run(id, journalId, name, file.device, file.inode)
}

/** The segment is in this file now: a faithful copy, or the same one under another device number. */
export function rememberFile(database: Database, id: number, { device, inode }: FileIdentity): void {
  database.prepare('UPDATE journal_segments SET device = ?, inode = ? WHERE id = ?').run(device, inode, id)
}

/**
 * Moves a position, in the transaction that has the rows. Names the value that it expects.
 *
 * @returns false when another value was found: somebody else has projected, and this transaction must not commit.
 */
export function advancePosition(database: Database, expectedBytes: number, next: SegmentPosition): boolean {
  const sql = `UPDATE journal_segments SET device = ?, inode = ?, projected_bytes = ?, projected_crc32 = ?,
      caught_up_at = ?, last_line_offset = ?, last_line_length = ?, last_line_crc32 = ?, lines = ?, requests = ?, completions = ?,
      rejected_lines = ?, unchecked_lines = ?, late_lines = ?
    WHERE id = ? AND projected_bytes = ?`
  const { counts, lastLine } = next
  const { changes } = database
    .prepare(sql)
    .run(
      next.file.device,
      next.file.inode,
      next.projectedBytes,
      next.projectedCrc32,
      next.caughtUpAt,
      lastLine?.byteOffset ?? null,
      lastLine?.length ?? null,
      lastLine?.crc32 ?? null,
      counts.lines,
      counts.requests,
      counts.completions,
      counts.rejected,
      counts.unchecked,
      counts.late,
      next.id,
      expectedBytes,
    )
  return changes === 1
}

/**
 * After a prune a replay leaves out completions whose request is gone. They were odd all the same.
 *
 * @param positions as they were before.
 */
export function keepOddCompletions(database: Database, positions: Iterable<SegmentPosition>): void {
  const statement = database.prepare(
    `UPDATE journal_segments SET repeated_completions = max(repeated_completions, ?),
       ambiguous_completions = max(ambiguous_completions, ?) WHERE id = ?`,
  )
  for (const { id, odd } of positions) statement.run(odd.repeated, odd.ambiguous, id)
}

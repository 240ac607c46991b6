// What SQLite stores about segments: their positions, and which are pruned, missing or lost.
import type { FileIdentity } from '../../journal/file-identity.js'
import type { LostSegment } from '../port.js'
import { MOVED_COLUMNS, movedValues, type PositionRow, positionOfRow } from '../position-row.js'
import type { SegmentPosition } from '../positions.js'
import { PrunedSegments } from '../pruned-segments.js'
import type { QueryDatabase } from '../query-database.js'
import type { Database } from './connection/database.js'

const MOVED = MOVED_COLUMNS.map((column) => `${column} = ?`).join(', ')

/** Reads all positions, in the order of the segments. */
export function readPositions(database: QueryDatabase): SegmentPosition[] {
  const rows = database.prepare<[], PositionRow>('SELECT * FROM journal_segments ORDER BY id').all()
  return rows.map(positionOfRow)
}

/** Whether anything has been projected. */
export function hasPositions(database: Database): boolean {
  return database.prepare('SELECT 1 FROM journal_segments LIMIT 1').get() !== undefined
}

/** Adds the row of a segment, to which its lines refer. */
export function insertPosition(database: Database, position: SegmentPosition): void {
  const { id, journalId, name, file } = position
  const sql = 'INSERT INTO journal_segments (id, journal_id, name, device, inode) VALUES (?, ?, ?, ?, ?)'
  database.prepare(sql).run(id, journalId, name, file.device, file.inode)
}

/**
 * Records that a segment is in another file now: a faithful copy, or the same file under another
 * device number.
 */
export function rememberFile(database: Database, id: number, { device, inode }: FileIdentity): void {
  database.prepare('UPDATE journal_segments SET device = ?, inode = ? WHERE id = ?').run(device, inode, id)
}

/**
 * Moves a position, in the same transaction as the rows.
 *
 * @returns false if the stored position isn't `expectedBytes`. Then another program has projected,
 *   and this transaction must not commit.
 */
export function advancePosition(database: Database, expectedBytes: number, next: SegmentPosition): boolean {
  const { changes } = database
    .prepare(`UPDATE journal_segments SET ${MOVED} WHERE id = ? AND projected_bytes = ?`)
    .run(...movedValues(next), next.id, expectedBytes)
  return changes === 1
}

/**
 * Keeps the counts of irregular completions (repeated or ambiguous) in a replay after a prune. The
 * replay leaves out completions whose request was pruned, but they were irregular all the same.
 *
 * @param positions the positions before the replay.
 */
export function keepIrregularCompletions(database: Database, positions: Iterable<SegmentPosition>): void {
  const statement = database.prepare(
    `UPDATE journal_segments SET repeated_completions = max(repeated_completions, ?),
       ambiguous_completions = max(ambiguous_completions, ?) WHERE id = ?`,
  )
  for (const { id, irregular } of positions) statement.run(irregular.repeated, irregular.ambiguous, id)
}

/** The id of the last segment whose rows were pruned; 0 if none was. */
export function prunedThrough(database: QueryDatabase): number {
  const sql = 'SELECT coalesce(max(through_segment_id), 0) FROM pruned_segments'
  return Number(database.prepare(sql).pluck().get())
}

/** The segments whose rows were pruned. */
export function prunedSegments(database: QueryDatabase): PrunedSegments {
  const imports = database.prepare<[], number>('SELECT segment_id FROM pruned_imports').pluck().all()
  return new PrunedSegments(prunedThrough(database), imports)
}

/**
 * Whether lines of pruned segments came late and no replay has put the rows in order since then.
 */
export function hasPrunedLateLines(database: Database): boolean {
  return database.prepare('SELECT 1 FROM pruned_segments WHERE late_lines > 0').get() !== undefined
}

/**
 * The names of missing segments that somebody has accepted, by an option of a projector or a
 * replay.
 *
 * @param table what follows FROM.
 */
export function acceptedMissing(database: QueryDatabase, table = 'missing_segments'): Set<string> {
  return new Set(database.prepare<[], string>(`SELECT name FROM ${table}`).pluck().all())
}

/**
 * Replaces the names of the missing segments that somebody has accepted.
 *
 * @param names the segments that are missing now. One that has come back isn't among them, so it
 *   will be noticed if it goes again.
 */
export function replaceAcceptedMissing(database: Database, names: readonly string[]): void {
  const at = new Date().toISOString()
  const keep = database.prepare('INSERT OR IGNORE INTO missing_segments (name, accepted_at) VALUES (?, ?)')
  const forget = database.prepare('DELETE FROM missing_segments WHERE name = ?')
  const gone = new Set(names)
  for (const name of acceptedMissing(database)) if (!gone.has(name)) forget.run(name)
  for (const name of gone) keep.run(name, at)
}

/**
 * Records which segments have lost lines in a replay. Nothing removes these rows, since counters
 * never fall.
 */
export function addLost(database: Database, segments: readonly LostSegment[]): void {
  const statement = database.prepare(
    `INSERT INTO lost_segments (name, is_replaced, lost_at) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET is_replaced = max(is_replaced, excluded.is_replaced)`,
  )
  const at = new Date().toISOString()
  for (const { name, isReplaced } of segments) statement.run(name, Number(isReplaced), at)
}

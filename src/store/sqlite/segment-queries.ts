// What SQLite stores about segments: their positions, and which are pruned, missing or lost.
import { type PositionRow, positionOfRow } from '../position-row.js'
import type { SegmentPosition } from '../positions.js'
import { PrunedSegments } from '../pruned-segments.js'
import type { QueryDatabase } from '../query-database.js'
import type { Database } from './connection/database.js'

/** Reads all positions, in the order of the segments. */
export function readPositions(database: QueryDatabase): SegmentPosition[] {
  const rows = database.prepare<[], PositionRow>('SELECT * FROM journal_segments ORDER BY id').all()
  return rows.map(positionOfRow)
}

/** Whether anything has been projected. */
export function hasPositions(database: Database): boolean {
  return database.prepare('SELECT 1 FROM journal_segments LIMIT 1').get() !== undefined
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

/** Does what `Store.replaceAcceptedMissing` says. */
export function replaceAcceptedMissing(database: Database, names: readonly string[]): void {
  const at = new Date().toISOString()
  const keep = database.prepare('INSERT OR IGNORE INTO missing_segments (name, accepted_at) VALUES (?, ?)')
  const forget = database.prepare('DELETE FROM missing_segments WHERE name = ?')
  const gone = new Set(names)
  for (const name of acceptedMissing(database)) if (!gone.has(name)) forget.run(name)
  for (const name of gone) keep.run(name, at)
}

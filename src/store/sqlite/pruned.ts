import type { Place, PlacedCompletion } from '../../events/placed.js'
import type { Database } from './connection/database.js'
import { type CompletionRow, placedCompletion } from './projection-tables.js'

/** The last segment that was pruned from this database, by id; 0 when none was. */
export function prunedThrough(database: Database): number {
  const sql = 'SELECT max(through_segment_id) AS id FROM pruned_segments'
  return database.prepare<[], { id: number | null }>(sql).get()?.id ?? 0
}

/** Whether lines of pruned segments came late, and no replay has put the rows in order since. */
export function hasPrunedLateLines(database: Database): boolean {
  return database.prepare('SELECT 1 FROM pruned_segments WHERE late_lines > 0').get() !== undefined
}

/** Completions of pruned segments that changed requests which are still there, in the order of the journal. */
export function carriedCompletions(database: Database): PlacedCompletion[] {
  const sql = 'SELECT * FROM carried_completions ORDER BY segment_id, byte_offset'
  const rows = database.prepare<[], CompletionRow>(sql).all()
  return rows.map(placedCompletion)
}

/** Tells of a completion whether it changed a request that was pruned. */
export function prunedCompletionTest(database: Database): (correlationId: string, place: Place) => boolean {
  const statement = database.prepare<[string, number, number, number, number]>(
    `SELECT 1 FROM pruned_completion_places WHERE correlation_id = ? AND (segment_id, byte_offset) >= (?, ?)
       AND (with_earlier OR (segment_id, byte_offset) = (?, ?)) LIMIT 1`,
  )
  return (correlationId, { segmentId, byteOffset }) =>
    statement.get(correlationId, segmentId, byteOffset, segmentId, byteOffset) !== undefined
}

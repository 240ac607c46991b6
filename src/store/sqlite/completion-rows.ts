import type { StreamCompleted } from '../../events/event-types.js'
import type { Place, PlacedCompletion } from '../../events/place.js'
import { COMPLETION_VALUES } from '../outcome-columns.js'
import type { Database } from './connection/database.js'
import type { RowValue } from './row-queue.js'

/** The row of a completion in the tables that keep completions. */
export interface CompletionRow extends Omit<StreamCompleted, 'type' | 'timestamp' | 'success' | 'attempt'> {
  attempt: number | null
  segment_id: number
  byte_offset: number
  success: number | null
}

/** How many completions wait for their request. */
export function countHeldCompletions(database: Database): number {
  return database.prepare<[], number>('SELECT count(*) FROM held_completions').pluck().get() ?? 0
}

/**
 * The completions of pruned segments that changed requests which still exist, in the order of the
 * journal.
 */
export function carriedCompletions(database: Database): PlacedCompletion[] {
  const sql = 'SELECT * FROM carried_completions ORDER BY segment_id, byte_offset'
  return database.prepare<[], CompletionRow>(sql).all().map(placedCompletion)
}

/** Returns a function that returns whether a completion changed a request that was pruned. */
export function prunedCompletionTest(database: Database): (correlationId: string, place: Place) => boolean {
  const hasPruned = database.prepare<[], number>('SELECT EXISTS (SELECT 1 FROM pruned_completion_places)')
  if (hasPruned.pluck().get() === 0) return () => false
  const statement = database.prepare<[string, number, number, number, number]>(
    `SELECT 1 FROM pruned_completion_places WHERE correlation_id = ? AND (segment_id, byte_offset) >= (?, ?)
       AND (with_earlier OR (segment_id, byte_offset) = (?, ?)) LIMIT 1`,
  )
  return (correlationId, { segmentId, byteOffset }) =>
    statement.get(correlationId, segmentId, byteOffset, segmentId, byteOffset) !== undefined
}

export function placedCompletion(row: CompletionRow): PlacedCompletion {
  const { segment_id, byte_offset, success, ...columns } = row
  return {
    completion: { ...columns, success: success === null ? null : success === 1 },
    place: { segmentId: segment_id, byteOffset: byte_offset },
  }
}

/** A completion's values in the order of `COMPLETION_COLUMNS`. */
export function completionValues({ completion, place }: PlacedCompletion): RowValue[] {
  return [place.segmentId, place.byteOffset, ...valuesOf(completion, COMPLETION_VALUES)]
}

/** A completion's values for some columns. */
export function valuesOf(
  completion: PlacedCompletion['completion'],
  columns: readonly (typeof COMPLETION_VALUES)[number][],
): RowValue[] {
  return columns.map((column) => {
    const value = completion[column]
    return typeof value === 'boolean' ? Number(value) : (value ?? null)
  })
}

import { safeIdentifier } from '../../events/value-kinds.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { type JournalPlace, journalPlace } from './full-row.js'

const MAX_PLACES = 10

/** Lists the places of up to ten completions that wait for a request with this correlation_id. */
export function heldPlaces(database: QueryDatabase, correlationId: string): JournalPlace[] {
  const find = database.prepare<[string], { segment_id: number; byte_offset: number }>(
    `SELECT segment_id, byte_offset FROM held_completions WHERE correlation_id = ?
     ORDER BY segment_id, byte_offset LIMIT ${MAX_PLACES}`,
  )
  const rows = find.all(safeIdentifier(correlationId))
  return rows.map((row) => journalPlace(row.segment_id, row.byte_offset) as JournalPlace)
}

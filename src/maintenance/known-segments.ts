import { addCounts, emptyCounts, type SegmentPosition } from '../store/positions.js'
import type { Database } from '../store/sqlite/connection/database.js'
import { acceptedMissing, prunedThrough, readPositions } from '../store/sqlite/position-rows.js'

export type KnownSegments = ReturnType<typeof knownSegments>

/** Without a database. */
export const NOTHING_KNOWN: KnownSegments = { positions: [], prunedThrough: 0, accepted: new Set() }

/** Reads what a database knows of a journal's segments. */
export function knownSegments(database: Database) {
  return {
    positions: readPositions(database),
    prunedThrough: prunedThrough(database),
    accepted: acceptedMissing(database),
  }
}

/** The counts of all segments together, and how many of their completions are odd. */
export function sumOfPositions(positions: readonly SegmentPosition[]) {
  return {
    ...positions.reduce((sum, { counts }) => addCounts(sum, counts), emptyCounts()),
    repeated: positions.reduce((sum, { odd }) => sum + odd.repeated, 0),
    ambiguous: positions.reduce((sum, { odd }) => sum + odd.ambiguous, 0),
  }
}

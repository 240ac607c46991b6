import type { Row } from '../../store/sqlite/compare/tables.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import type { Snapshot } from './snapshot.js'
import type { Stretches } from './stretches.js'
import type { ProblemList } from './verify-problems.js'

interface PlacedId {
  id: number
  segment_id: number
  byte_offset: number
}

/** Reports the first row whose id isn't the one that a replay gives; later ones follow from it. */
export function reportMovedId(
  { found, expected }: { found: Row; expected: Row },
  problems: ProblemList,
): void {
  const [id, expectedId] = [Number(found['id']), Number(expected['id'])]
  const place = { segmentId: Number(found['segment_id']), byteOffset: Number(found['byte_offset']) }
  const detail = `row ${id} should be row ${expectedId}, by the order of lines; the ids of later rows were not checked`
  const columns = [{ column: 'id', journal: expectedId, database: id }]
  problems.addAt('altered', place, { detail, row_id: id, columns })
}

/**
 * Reports the first row whose id is impossible. If lines came late, ids aren't in the order of the
 * journal, but
 *
 * - a segment is read from its beginning to its end, so that its ids ascend;
 * - lines that came in time were projected before every line of a newer segment. The others are
 *   counted as late, and are the last ones of their segment;
 * - live rows and a replay use the same ids, in another order. After a prune of late lines some are
 *   unused.
 */
export function reportImpossibleId(snapshot: Snapshot, stretches: Stretches, problems: ProblemList): void {
  const row = firstOutOfOrder(snapshot.database, stretches) ?? firstUnknown(snapshot)
  if (row === undefined) return
  const { id, segment_id, byte_offset } = row
  const place = { segmentId: segment_id, byteOffset: byte_offset }
  const detail = `row ${id} has an id that its line can't have got; the ids of later rows were not checked`
  problems.addAt('altered', place, { detail, row_id: id })
}

/**
 * Reads from the newest segment to the oldest: lines that came in time have lower ids than all of
 * newer segments.
 */
function firstOutOfOrder(database: Database, { lateFrom }: Stretches): PlacedId | undefined {
  const rows = database.prepare<[], PlacedId>(
    `SELECT id, segment_id, byte_offset FROM main.requests WHERE segment_id IS NOT NULL
     ORDER BY segment_id DESC, byte_offset DESC`,
  )
  let segmentId: number | null = null
  /** The lowest id of newer segments, and that of this one. */
  let [newer, lowest] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  let previous = Number.POSITIVE_INFINITY
  for (const row of rows.iterate()) {
    if (row.segment_id !== segmentId) {
      newer = Math.min(newer, lowest)
      previous = Number.POSITIVE_INFINITY
      segmentId = row.segment_id
    }
    const isLate = row.byte_offset >= (lateFrom.get(row.segment_id) ?? Number.POSITIVE_INFINITY)
    if (row.id >= previous || (!isLate && row.id >= newer)) return row
    previous = row.id
    lowest = Math.min(lowest, row.id)
  }
  return undefined
}

function firstUnknown({ database, hasPrunedLateLines, pruned }: Snapshot): PlacedId | undefined {
  if (hasPrunedLateLines) return undefined
  return database
    .prepare<[number], PlacedId>(
      `SELECT f.id, f.segment_id, f.byte_offset FROM main.requests f
       LEFT JOIN expected.requests e ON e.id = f.id
       WHERE f.segment_id > ? AND (e.id IS NULL OR e.segment_id IS NULL) ORDER BY f.id LIMIT 1`,
    )
    .get(pruned.through)
}

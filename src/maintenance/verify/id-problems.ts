import type { Place } from '../../events/place.js'
import type { Comparison } from './comparison.js'
import type { ComparedRow } from './request-problems.js'
import type { Snapshot } from './snapshot.js'
import type { ProblemList } from './verify-problems.js'

type PlacedId = Place & { id: number }

/** Reports the first row whose id isn't the one that a replay gives; later ones follow from it. */
export function reportMovedId({ found, expected }: ComparedRow, problems: ProblemList): void {
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
export function reportImpossibleId(comparison: Comparison): void {
  const row = firstOutOfOrder(comparison) ?? firstUnknown(comparison.snapshot)
  if (row === undefined) return
  const detail = `row ${row.id} has an id that its line can't have got; the ids of later rows were not checked`
  comparison.problems.addAt('altered', row, { detail, row_id: row.id })
}

/** Reads from the newest segment on: lines in time have lower ids than all of newer segments. */
function firstOutOfOrder({ snapshot, stretches }: Comparison): PlacedId | undefined {
  const rows = snapshot.database.prepare<[], PlacedId>(
    `SELECT id, segment_id AS segmentId, byte_offset AS byteOffset FROM main.requests
     WHERE segment_id IS NOT NULL ORDER BY segment_id DESC, byte_offset DESC`,
  )
  let segment: number | null = null
  /** The lowest id of newer segments, and that of this one. */
  let [newer, lowest] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  let previous = Number.POSITIVE_INFINITY
  for (const row of rows.iterate()) {
    const { id, segmentId, byteOffset } = row
    if (segmentId !== segment) {
      newer = Math.min(newer, lowest)
      previous = Number.POSITIVE_INFINITY
      segment = segmentId
    }
    const isLate = byteOffset >= (stretches.lateFrom.get(segmentId) ?? Number.POSITIVE_INFINITY)
    if (id >= previous || (!isLate && id >= newer)) return row
    previous = id
    lowest = Math.min(lowest, id)
  }
  return undefined
}

function firstUnknown({ database, hasPrunedLateLines, pruned }: Snapshot): PlacedId | undefined {
  if (hasPrunedLateLines) return undefined
  return database
    .prepare<[number], PlacedId>(
      `SELECT f.id, f.segment_id AS segmentId, f.byte_offset AS byteOffset FROM main.requests f
       LEFT JOIN expected.requests e ON e.id = f.id
       WHERE f.segment_id > ? AND (e.id IS NULL OR e.segment_id IS NULL) ORDER BY f.id LIMIT 1`,
    )
    .get(pruned.through)
}

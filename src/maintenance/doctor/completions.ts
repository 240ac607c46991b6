import type { Place } from '../../events/place.js'
import { unfinishedUntil } from '../../folds/sums/counted-values.js'
import { segmentOfId, utcDay } from '../../journal/segments.js'
import type { SegmentPosition } from '../../store/positions.js'
import { dialectOf } from '../../store/query-database.js'
import { countText } from '../count-text.js'
import { type JournalTables, sumOfPositions } from '../journal-tables.js'
import { atLeast, type Finding, NEWEST_ROWS, note, ok } from './check.js'

/** How many examples of each kind are listed. */
const EXAMPLES = 3

/** Completions that were applied, but perhaps not to the request that the gateway meant. */
export function checkCompletions(tables: JournalTables, positions: readonly SegmentPosition[]): Finding {
  const { repeated, ambiguous } = sumOfPositions(positions)
  if (repeated === 0 && ambiguous === 0) {
    return ok('none was repeated, and none could have been meant for another row')
  }
  const found = `${countText(repeated, 'completion')} overwrote an earlier one of the same row, ${ambiguous} named no attempt while several rows with the correlation_id were open`
  const advice =
    'Retries that share a correlation_id need `attempt`, in request_logged and in stream_completed: without it a completion goes to the newest row that is open'
  const rows = tables.database.prepare<[], Place & { id: number; correlation_id: string }>(
    `SELECT s.segment_id AS "segmentId", s.byte_offset AS "byteOffset", r.id, r.correlation_id
     FROM ${tables.from('superseded_completions', 's')} JOIN ${tables.from('requests', 'r')} ON r.id = s.request_id
     ORDER BY s.segment_id DESC, s.byte_offset DESC LIMIT ${EXAMPLES}`,
  )
  const overwritten = rows.all().map(({ id, correlation_id, segmentId, byteOffset }) => {
    const place = `byte ${byteOffset} of ${segmentOfId(segmentId)?.name ?? `segment ${segmentId}`}`
    return `repeated: row ${id} (${correlation_id}), whose completion at ${place} was overwritten`
  })
  const segments = positions.filter(({ irregular }) => irregular.ambiguous > 0).slice(-EXAMPLES)
  const unclear = segments.map(({ name, irregular }) => `ambiguous: ${irregular.ambiguous} in ${name}`)
  return note(found, advice, [...overwritten, ...unclear])
}

/** Completions that wait for their request. */
export function checkHeld(tables: JournalTables, now: number): Finding {
  const oldest = tables.database
    .prepare<[], string>(
      `SELECT s.name FROM ${tables.from('held_completions', 'h')}
       JOIN ${tables.from('journal_segments', 's')} ON s.id = h.segment_id
       ORDER BY h.segment_id, h.byte_offset LIMIT 1`,
    )
    .pluck()
    .get()
  if (oldest === undefined) return ok('none waits for its request')
  const held = tables.count('held_completions')
  const found = `${countText(held, 'completion')} came before the request, the oldest in ${oldest}`
  // The request of a completion from today may be in the next line.
  if (oldest.slice(0, 10) >= utcDay(now)) return ok(found)
  const advice =
    'If a request never appears, it was never logged, or under another correlation_id: check that gateway'
  return note(found, advice)
}

/** Streams that no completion has ended. */
export function checkStreams(tables: JournalTables, now: number): Finding {
  const { isUnended } = dialectOf(tables.database)
  const { n, oldest } = tables.database
    .prepare<[string, number], { n: number; oldest: string | null }>(
      `SELECT count(*) AS n, min(timestamp) AS oldest FROM (
         SELECT timestamp FROM ${tables.from('requests')} WHERE ${isUnended} AND timestamp <= ? AND segment_id IS NOT NULL
         ORDER BY timestamp DESC LIMIT ?) AS newest`,
    )
    .get(unfinishedUntil(now), NEWEST_ROWS) as { n: number; oldest: string | null }
  if (n === 0) return ok('every stream older than an hour has ended')
  const found = `${atLeast(n)}${countText(n, 'stream')} began more than an hour ago and never ended, the oldest at ${oldest}`
  const advice =
    'Their tokens and costs are not final: the gateway died before they ended, or logs no stream_completed'
  return note(found, advice)
}

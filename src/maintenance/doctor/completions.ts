import { segmentOfId } from '../../journal/segments.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import { readPositions } from '../../store/sqlite/positions.js'
import { countText } from '../count-text.js'
import { type DoctorCheck, note, ok } from './check.js'

/** How many examples of each kind are named. */
const EXAMPLES = 3

interface SupersededRow {
  segment_id: number
  byte_offset: number
  id: number
  correlation_id: string
}

/** Completions that were applied, but perhaps not to the request that the gateway meant. */
export function checkCompletions(database: Database): DoctorCheck {
  const positions = readPositions(database)
  const sum = (count: (position: (typeof positions)[number]) => number) =>
    positions.reduce((total, position) => total + count(position), 0)
  const repeated = sum(({ odd }) => odd.repeated)
  const ambiguous = sum(({ odd }) => odd.ambiguous)
  if (repeated === 0 && ambiguous === 0) {
    return ok('completions', 'none was repeated, none could have meant another row')
  }
  const found = `${countText(repeated, 'completion')} overwrote an earlier one of the same row, ${ambiguous} named no attempt while several rows with the correlation_id were open`
  const advice =
    'Retries that share a correlation_id need `attempt`, in request_logged and in stream_completed: without it a completion goes to the newest row that is open'
  const segments = positions.filter(({ odd }) => odd.ambiguous > 0).slice(-EXAMPLES)
  return note('completions', found, advice, [
    ...supersededRows(database).map(
      ({ id, correlation_id, segment_id, byte_offset }) =>
        `repeated: row ${id} (${correlation_id}), whose completion at byte ${byte_offset} of ${nameOf(segment_id)} was overwritten`,
    ),
    ...segments.map(({ name, odd }) => `ambiguous: ${odd.ambiguous} in ${name}`),
  ])
}

function supersededRows(database: Database): SupersededRow[] {
  return database
    .prepare<[], SupersededRow>(
      `SELECT s.segment_id, s.byte_offset, r.id, r.correlation_id
       FROM superseded_completions s JOIN requests r ON r.id = s.request_id
       ORDER BY s.segment_id DESC, s.byte_offset DESC LIMIT ${EXAMPLES}`,
    )
    .all()
}

function nameOf(segmentId: number): string {
  return segmentOfId(segmentId)?.name ?? `segment ${segmentId}`
}

import type { Place } from '../../events/place.js'
import { differencesOf, type Row } from '../../store/sqlite/compare/tables.js'
import type { Comparison } from './comparison.js'
import { differingColumns } from './verify-problems.js'

/** The columns of a position that may differ: of the file that was read last, and of late lines. */
const OF_FILES = ['device', 'inode', 'caught_up_at', 'late_lines', 'projected_crc32']
const IRREGULAR = ['repeated_completions', 'ambiguous_completions']

/** Reports rows in PostgreSQL with another row's id, which couldn't be copied into one table. */
export function reportDoubledIds({ snapshot, problems }: Comparison): void {
  if (!snapshot.isShared) return
  const rows = snapshot.database.prepare<[], Place & { id: number }>(
    'SELECT id, segment_id AS segmentId, byte_offset AS byteOffset FROM main.doubled_ids',
  )
  for (const row of rows.iterate()) {
    problems.addAt('doubled', row, { detail: `row ${row.id} has the id of another row`, row_id: row.id })
  }
}

export function reportRejected(comparison: Comparison): void {
  const { problems, stretches } = comparison
  for (const { at, expected, found } of differencesAt(comparison, 'rejected_lines')) {
    if (expected === null) {
      if (stretches.isExcluded(at)) continue
      const detail = `a line is kept as rejected (${String(found?.['reason'])}), but isn't rejected`
      problems.addAt('surplus', at, { detail })
    } else if (found !== null) {
      const detail = 'what is kept about a rejected line is wrong'
      problems.addDifferences('altered', at, differingColumns(expected, found), { detail })
    } else if (stretches.altered.has(at.segmentId)) {
      const detail = `a line that was projected can't be read any more: ${String(expected['detail'])}`
      problems.addAt('damaged', at, { detail })
    } else {
      const detail = `a rejected line (${String(expected['reason'])}) is not kept as one`
      problems.addAt('missing', at, { detail })
    }
  }
}

/** @param what what the table stores one of in each row. */
export function reportPrices(
  comparison: Comparison,
  table: 'prices' | 'exchange_rates',
  what: 'price' | 'exchange rate',
): void {
  const { problems, stretches } = comparison
  for (const { at, expected, found } of differencesAt(comparison, table)) {
    if (expected !== null && found !== null) {
      const detail = `the stored ${what} is not what this line says`
      problems.addDifferences('altered', at, differingColumns(expected, found), { detail })
    } else if (expected !== null) {
      problems.addAt('missing', at, { detail: `the ${what} of this line is not stored` })
    } else if (!stretches.isExcluded(at)) {
      problems.addAt('surplus', at, { detail: `the stored ${what} is in no line` })
    }
  }
}

/** @returns how many completions are held both according to the journal and in the database. */
export function reportHeld(comparison: Comparison): number {
  const { snapshot, problems, stretches } = comparison
  let missing = 0
  for (const { at, expected, found } of differencesAt(comparison, 'held_completions')) {
    if (found === null) {
      missing++
      // A row that claims this completion is reported itself.
      if (claimant(comparison, at) !== undefined) continue
      problems.addAt('missing', at, { detail: 'the completion is neither on a row nor held' })
    } else if (expected !== null) {
      const detail = 'the held completion is not what this line says'
      problems.addDifferences('altered', at, differingColumns(expected, found), { detail })
    } else if (!stretches.isExcluded(at)) reportWronglyHeld(comparison, at)
  }
  reportHeldBesideRequest(comparison)
  return (snapshot.value('SELECT count(*) FROM expected.held_completions') ?? 0) - missing
}

/** The row that was completed from this place, according to the database. */
function claimant({ snapshot }: Comparison, { segmentId, byteOffset }: Place): number | undefined {
  const sql =
    'SELECT id FROM main.requests WHERE completed_segment_id = ? AND completed_byte_offset = ? ORDER BY id'
  return snapshot.value(sql, segmentId, byteOffset)
}

function reportWronglyHeld(comparison: Comparison, at: Place): void {
  const { snapshot, problems } = comparison
  const isIn = (table: string, prefix = '') => {
    const sql = `SELECT 1 FROM expected.${table} WHERE ${prefix}segment_id = ? AND ${prefix}byte_offset = ?`
    return snapshot.value(sql, at.segmentId, at.byteOffset) !== undefined
  }
  const id = claimant(comparison, at)
  if (id !== undefined) {
    const detail = `the completion is held, although row ${id} says that it was applied`
    problems.addAt('surplus', at, { detail, row_id: id })
  } else if (isIn('superseded_completions')) {
    problems.addAt('missing', at, { detail: HELD_BESIDE_REQUEST })
  } else if (!isIn('requests', 'completed_')) {
    problems.addAt('surplus', at, { detail: 'a completion is held, but the journal has none here' })
  }
  // Otherwise the row that lacks it is reported.
}

const HELD_BESIDE_REQUEST = 'the completion is held, although its request is there'

/** Reports completions that are held although their request is there, whatever was claimed. */
function reportHeldBesideRequest({ snapshot, problems, isClaimed }: Comparison): void {
  if (!isClaimed) return
  const places = snapshot.database.prepare<[], Place>(
    `SELECT h.segment_id AS segmentId, h.byte_offset AS byteOffset FROM main.held_completions h
     JOIN expected.held_completions e ON e.segment_id = h.segment_id AND e.byte_offset = h.byte_offset
     WHERE EXISTS (SELECT 1 FROM main.requests r WHERE r.correlation_id = h.correlation_id
       AND r.segment_id IS NOT NULL AND (h.attempt IS NULL OR r.attempt = h.attempt))`,
  )
  for (const at of places.iterate()) problems.addAt('missing', at, { detail: HELD_BESIDE_REQUEST })
}

/** Reports overwritten completions, unless the database was believed about them. */
export function reportSuperseded(comparison: Comparison): void {
  const { snapshot, problems, isClaimed } = comparison
  if (isClaimed) return
  for (const { at, expected, found } of differencesAt(comparison, 'superseded_completions')) {
    if (expected === null) {
      const detail = 'a completion is kept as overwritten, but no other one has overwritten it'
      problems.addAt('surplus', at, { detail })
    } else if (found !== null) {
      // A row from before the journal has no line with its own outcome.
      const isJournaled = 'SELECT 1 FROM main.requests WHERE id = ? AND segment_id IS NOT NULL'
      const hasLine = snapshot.value(isJournaled, found['request_id']) !== undefined
      const columns = differingColumns(expected, found)
      const compared = columns.filter(({ column }) => hasLine || column !== 'success')
      const detail = 'what is kept about an overwritten completion is wrong'
      problems.addDifferences('altered', at, compared, { detail })
    } else if (!snapshot.wasUpgraded) {
      problems.addAt('missing', at, { detail: 'an overwritten completion is not kept' })
    }
  }
}

/**
 * Reports places of completions of pruned requests at which the journal has no such completion: a
 * replay would leave out others there.
 *
 * @param seen the places of those that the journal has, as `placeKey` gives them.
 */
export function reportPrunedCompletions(
  { snapshot, stretches, problems }: Comparison,
  seen: ReadonlySet<string>,
): void {
  const places = snapshot.database.prepare<[], Place>(
    `SELECT segment_id AS segmentId, byte_offset AS byteOffset FROM main.pruned_completion_places
     ORDER BY segment_id, byte_offset`,
  )
  const detail = 'a completion of a pruned request is kept, but the journal has no completion here'
  for (const at of places.iterate()) {
    if (!seen.has(placeKey(at)) && !stretches.isExcluded(at)) problems.addAt('surplus', at, { detail })
  }
}

export function reportPositions({ snapshot, stretches, problems, isClaimed }: Comparison): void {
  // After a prune, irregular completions of requests that are gone still count.
  const areIrregularOurs = !isClaimed && snapshot.pruned.isNone && !snapshot.wasUpgraded
  const ignored = [...OF_FILES, ...(areIrregularOurs ? [] : IRREGULAR)]
  const table = { name: 'journal_segments', key: ['id'], ignored }
  for (const { expected, found } of differencesOf(snapshot.database, table)) {
    const id = Number((expected ?? found)?.['id'])
    // If the bytes changed, so do the counts.
    if (expected === null || stretches.altered.has(id) || snapshot.pruned.has(id)) continue
    const columns = differingColumns(expected, found).filter(({ column }) => !ignored.includes(column))
    const detail = 'what journal_segments has about the segment is wrong'
    problems.addDifferences('counts', { segmentId: id, byteOffset: 0 }, columns, { detail })
  }
}

/** Compares a table whose rows have the places of their lines. */
function* differencesAt(
  { snapshot }: Comparison,
  name: string,
): Generator<{ at: Place; expected: Row | null; found: Row | null }> {
  const table = { name, key: ['segment_id', 'byte_offset'] }
  for (const difference of differencesOf(snapshot.database, table)) {
    const row = difference.expected ?? difference.found
    const at = { segmentId: Number(row?.['segment_id']), byteOffset: Number(row?.['byte_offset']) }
    yield { ...difference, at }
  }
}

/** Returns a place as a text, for sets. */
export function placeKey({ segmentId, byteOffset }: Place): string {
  return `${segmentId}/${byteOffset}`
}

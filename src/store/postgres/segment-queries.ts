// What PostgreSQL stores about segments: their positions, and which are pruned, missing or lost.
import type { FileIdentity } from '../../journal/file-identity.js'
import type { LostSegment } from '../port.js'
import { MOVED_COLUMNS, movedValues, type PositionRow, positionOfRow } from '../position-row.js'
import type { SegmentPosition } from '../positions.js'
import type { Connection } from './connection/connection.js'
import { jsonRows } from './connection/values.js'

const MOVED = MOVED_COLUMNS.map((column, index) => `${column} = $${index + 4}`).join(', ')

/** Reads a journal's positions, in the order of its segments. */
export async function readPositions(connection: Connection, journal: number): Promise<SegmentPosition[]> {
  const rows = await connection.all<PositionRow & { [column: string]: unknown }>(
    `SELECT s.*, j.journal_id FROM journal_segments s JOIN journals j ON j.number = s.journal
     WHERE s.journal = $1 ORDER BY s.id`,
    journal,
  )
  return rows.map(positionOfRow)
}

/** Adds the row of a segment, to which its lines refer. */
export async function insertPosition(
  connection: Connection,
  journal: number,
  { id, name, file }: SegmentPosition,
): Promise<void> {
  const sql = 'INSERT INTO journal_segments (journal, id, name, device, inode) VALUES ($1, $2, $3, $4, $5)'
  await connection.run(sql, journal, id, name, file.device, file.inode)
}

/** Records that a segment is in another file now. */
export async function rememberFile(
  connection: Connection,
  journal: number,
  id: number,
  { device, inode }: FileIdentity,
): Promise<void> {
  const sql = 'UPDATE journal_segments SET device = $3, inode = $4 WHERE journal = $1 AND id = $2'
  await connection.run(sql, journal, id, device, inode)
}

/**
 * Moves a position, in the same transaction as the rows.
 *
 * @returns false if the stored position isn't `expectedBytes`.
 */
export async function advancePosition(
  connection: Connection,
  journal: number,
  expectedBytes: number,
  next: SegmentPosition,
): Promise<boolean> {
  const changes = await connection.run(
    `UPDATE journal_segments SET ${MOVED} WHERE journal = $1 AND id = $2 AND projected_bytes = $3`,
    journal,
    next.id,
    expectedBytes,
    ...movedValues(next),
  )
  return changes === 1
}

/**
 * Keeps the counts of irregular completions (repeated or ambiguous) in a replay after a prune,
 * because the replay leaves some of these completions out.
 */
export async function keepIrregularCompletions(
  connection: Connection,
  journal: number,
  positions: Iterable<SegmentPosition>,
): Promise<void> {
  const rows = [...positions].map(({ id, irregular }) => ({ id, ...irregular }))
  await connection.run(
    `UPDATE journal_segments s SET repeated_completions = greatest(repeated_completions, o.repeated),
       ambiguous_completions = greatest(ambiguous_completions, o.ambiguous)
     FROM json_to_recordset($2) AS o(id BIGINT, repeated BIGINT, ambiguous BIGINT)
     WHERE s.journal = $1 AND s.id = o.id`,
    journal,
    jsonRows(rows),
  )
}

/** The id of the last segment whose rows were pruned; 0 if none was. */
export async function prunedThrough(connection: Connection, journal: number): Promise<number> {
  const row = await connection.one<{ pruned_through: number }>(
    'SELECT pruned_through FROM journals WHERE number = $1',
    journal,
  )
  return row?.pruned_through ?? 0
}

/** The names of missing segments that somebody has accepted. */
export async function acceptedMissing(connection: Connection, journal: number): Promise<Set<string>> {
  const rows = await connection.all<{ name: string }>(
    'SELECT name FROM missing_segments WHERE journal = $1',
    journal,
  )
  return new Set(rows.map(({ name }) => name))
}

/** Replaces the names of the missing segments that somebody has accepted. */
export async function replaceAcceptedMissing(
  connection: Connection,
  journal: number,
  names: readonly string[],
): Promise<void> {
  await connection.run(
    'DELETE FROM missing_segments WHERE journal = $1 AND name <> ALL ($2::text[])',
    journal,
    names,
  )
  await connection.run(
    `INSERT INTO missing_segments SELECT $1, name, now() FROM unnest($2::text[]) name ON CONFLICT DO NOTHING`,
    journal,
    [...new Set(names)],
  )
}

/** Records which segments have lost lines in a replay. Nothing removes these rows. */
export async function addLost(
  connection: Connection,
  journal: number,
  segments: readonly LostSegment[],
): Promise<void> {
  const last = new Map(segments.map(({ name, isReplaced }) => [name, { name, is_replaced: isReplaced }]))
  await connection.run(
    `INSERT INTO lost_segments SELECT $1, name, is_replaced, now()
       FROM json_to_recordset($2) AS l(name TEXT, is_replaced BOOLEAN)
     ON CONFLICT (journal, name) DO UPDATE SET is_replaced = lost_segments.is_replaced OR excluded.is_replaced`,
    journal,
    jsonRows([...last.values()]),
  )
}

// What PostgreSQL stores about segments: their positions, and which are pruned, missing or lost.
import type { FileIdentity } from '../../journal/file-identity.js'
import type { LostSegment } from '../port.js'
import { MOVED_COLUMNS, movedValues, type PositionRow, positionOfRow } from '../position-row.js'
import type { SegmentPosition } from '../positions.js'
import { jsonRows } from './connection/values.js'
import type { JournalConnection } from './journal-connection.js'

const MOVED = MOVED_COLUMNS.map((column, index) => `${column} = $${index + 4}`).join(', ')

/** Reads a journal's positions, in the order of its segments. */
export async function readPositions(journal: JournalConnection): Promise<SegmentPosition[]> {
  const rows = await journal.all<PositionRow>(
    `SELECT s.*, j.journal_id FROM journal_segments s JOIN journals j ON j.number = s.journal
     WHERE s.journal = $1 ORDER BY s.id`,
  )
  return rows.map(positionOfRow)
}

/** Adds the row of a segment, to which its lines refer. */
export async function insertPosition(
  journal: JournalConnection,
  { id, name, file }: SegmentPosition,
): Promise<void> {
  const sql = 'INSERT INTO journal_segments (journal, id, name, device, inode) VALUES ($1, $2, $3, $4, $5)'
  await journal.run(sql, id, name, file.device, file.inode)
}

/** Records that a segment is in another file now. */
export async function rememberFile(
  journal: JournalConnection,
  id: number,
  { device, inode }: FileIdentity,
): Promise<void> {
  const sql = 'UPDATE journal_segments SET device = $3, inode = $4 WHERE journal = $1 AND id = $2'
  await journal.run(sql, id, device, inode)
}

/**
 * Moves a position, in the same transaction as the rows.
 *
 * @returns false if the stored position isn't `expectedBytes`.
 */
export async function advancePosition(
  journal: JournalConnection,
  expectedBytes: number,
  next: SegmentPosition,
): Promise<boolean> {
  const sql = `UPDATE journal_segments SET ${MOVED} WHERE journal = $1 AND id = $2 AND projected_bytes = $3`
  return (await journal.run(sql, next.id, expectedBytes, ...movedValues(next))) === 1
}

/**
 * Keeps the counts of irregular completions (repeated or ambiguous) in a replay after a prune,
 * because the replay leaves some of these completions out.
 */
export async function keepIrregularCompletions(
  journal: JournalConnection,
  positions: readonly SegmentPosition[],
): Promise<void> {
  await journal.run(
    `UPDATE journal_segments s SET repeated_completions = greatest(repeated_completions, o.repeated),
       ambiguous_completions = greatest(ambiguous_completions, o.ambiguous)
     FROM json_to_recordset($2) AS o(id BIGINT, repeated BIGINT, ambiguous BIGINT)
     WHERE s.journal = $1 AND s.id = o.id`,
    jsonRows(positions.map(({ id, irregular }) => ({ id, ...irregular }))),
  )
}

/** The id of the last segment whose rows were pruned; 0 if none was. */
export async function prunedThrough(journal: JournalConnection): Promise<number> {
  const sql = 'SELECT pruned_through FROM journals WHERE number = $1'
  return (await journal.one<{ pruned_through: number }>(sql))?.pruned_through ?? 0
}

/** The names of missing segments that somebody has accepted. */
export async function acceptedMissing(journal: JournalConnection): Promise<Set<string>> {
  const rows = await journal.all<{ name: string }>('SELECT name FROM missing_segments WHERE journal = $1')
  return new Set(rows.map(({ name }) => name))
}

/** Replaces the names of the missing segments that somebody has accepted. */
export async function replaceAcceptedMissing(
  journal: JournalConnection,
  names: readonly string[],
): Promise<void> {
  await journal.run('DELETE FROM missing_segments WHERE journal = $1 AND name <> ALL ($2::text[])', names)
  await journal.run(
    `INSERT INTO missing_segments SELECT $1, name, now() FROM unnest($2::text[]) name ON CONFLICT DO NOTHING`,
    names,
  )
}

/** Records which segments have lost lines in a replay. Nothing removes these rows. */
export async function addLost(journal: JournalConnection, { name, isReplaced }: LostSegment): Promise<void> {
  await journal.run(
    `INSERT INTO lost_segments VALUES ($1, $2, $3, now())
     ON CONFLICT (journal, name) DO UPDATE SET is_replaced = lost_segments.is_replaced OR excluded.is_replaced`,
    name,
    isReplaced,
  )
}

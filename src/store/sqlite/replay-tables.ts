import type { Database } from './connection/database.js'

/** Empties every projection, in the transaction of a replay; rows that never came from a journal stay, with their ids. */
export function clearProjections(database: Database, dropIndexes: () => void): void {
  // While its index is there.
  const unjournaled = database.prepare('SELECT 1 FROM requests WHERE segment_id IS NULL LIMIT 1').get()
  dropIndexes()
  // Without a WHERE clause SQLite frees whole pages instead of deleting row by row.
  database.exec(
    unjournaled === undefined ? 'DELETE FROM requests' : 'DELETE FROM requests WHERE segment_id IS NOT NULL',
  )
  // Their completions come again, and must find them as they found them before.
  if (unjournaled !== undefined) {
    database.exec(
      `UPDATE requests SET completed_segment_id = NULL, completed_byte_offset = NULL
       WHERE segment_id IS NULL AND completed_segment_id IS NOT NULL`,
    )
  }
  database.exec(`
    DELETE FROM rejected_lines;
    DELETE FROM held_completions;
    DELETE FROM superseded_completions;
    UPDATE pruned_segments SET late_lines = 0;
    DELETE FROM token_ratio_sums;
    DELETE FROM token_ratios;
    INSERT INTO token_ratio_sums SELECT policy, ratio_millionths, sample_count FROM unjournaled_token_ratios;
    INSERT INTO token_ratios (policy, avg_ratio, sample_count)
      SELECT policy, ratio_millionths / 1e6 / sample_count, sample_count FROM token_ratio_sums;
    DELETE FROM journal_segments;
  `)
}

/** The next row gets the next id, as if the rows had come live. */
export function resetNextId(database: Database): void {
  database.exec(`
    UPDATE sqlite_sequence
      SET seq = max((SELECT last_id FROM unjournaled_requests), coalesce((SELECT max(id) FROM requests), 0))
      WHERE name = 'requests'
  `)
}

/**
 * The ids that a replay gives, in the order of the journal: after the rows from before it, and around rows that other
 * programs have added since. Live rows have the same ids, unless lines came late.
 */
export function rebuiltIds(database: Database): { nextId: number; takenIds: ReadonlySet<number> } {
  const base = database.prepare<[], { last_id: number }>('SELECT last_id FROM unjournaled_requests').get()
  const last = base?.last_id ?? 0
  const taken = database.prepare<[number], number>(
    'SELECT id FROM requests WHERE id > ? AND segment_id IS NULL',
  )
  return { nextId: last + 1, takenIds: new Set(taken.pluck().all(last)) }
}

/** The id that the next live request gets: after every one that was ever given. */
export function nextLiveId(database: Database): number {
  const last = database.prepare<[], { id: number }>(
    `SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'requests'), 0),
       coalesce((SELECT max(id) FROM requests), 0)) AS id`,
  )
  return (last.get()?.id ?? 0) + 1
}

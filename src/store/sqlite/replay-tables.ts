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
 * The ids that a replay gives, in the order of the journal: behind the rows from before it and around those that came
 * between. Live rows have the same, unless lines came late.
 */
export function* newIds(database: Database): Generator<number, never> {
  const base = database.prepare<[], { last_id: number }>('SELECT last_id FROM unjournaled_requests').get()
  let id = base?.last_id ?? 0
  const taken = database.prepare<[number], { id: number }>(
    'SELECT id FROM requests WHERE id > ? AND segment_id IS NULL ORDER BY id',
  )
  const takenIds = new Set(taken.all(id).map((row) => row.id))
  for (;;) {
    do id++
    while (takenIds.has(id))
    yield id
  }
}

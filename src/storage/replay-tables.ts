import type { Database } from './database.js'
import {
  type CompletionRow,
  completionValues,
  type PlacedCompletion,
  placedCompletion,
  STORED_COLUMNS,
  type StoredRequest,
} from './projection-tables.js'

interface DeferredRow extends CompletionRow {
  next_id: number
  sequence: number
}

/** A completion that waits for the end of a replay, and the id that the request behind it got. */
export interface DeferredCompletion extends PlacedCompletion {
  nextId: number
}

/**
 * The tables of a replay's transaction. Indexes come last, so completions, which need one to find their row, are put
 * aside meanwhile.
 */
export class ReplayTables {
  readonly #database: Database
  #indexes: string[] = []

  constructor(database: Database) {
    this.#database = database
  }

  /** Empties every projection; rows that never came from a journal stay, with their ids. */
  clear(): void {
    const database = this.#database
    // While its index is there.
    const unjournaled = database.prepare('SELECT 1 FROM requests WHERE segment_id IS NULL LIMIT 1').get()
    const indexes = database
      .prepare<[], { name: string; sql: string }>(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'requests' AND sql IS NOT NULL",
      )
      .all()
    for (const { name } of indexes) database.exec(`DROP INDEX "${name.replaceAll('"', '""')}"`)
    this.#indexes = indexes.map(({ sql }) => sql)
    // Without a WHERE clause SQLite frees whole pages instead of deleting row by row.
    database.exec(
      unjournaled === undefined
        ? 'DELETE FROM requests'
        : 'DELETE FROM requests WHERE segment_id IS NOT NULL',
    )
    database.exec(`
      DELETE FROM rejected_lines;
      DELETE FROM held_completions;
      DELETE FROM token_ratio_sums;
      DELETE FROM token_ratios;
      INSERT INTO token_ratio_sums SELECT policy, ratio_millionths, sample_count FROM unjournaled_token_ratios;
      INSERT INTO token_ratios (policy, avg_ratio, sample_count)
        SELECT policy, ratio_millionths / 1e6 / sample_count, sample_count FROM token_ratio_sums;
      DELETE FROM journal_segments;
      CREATE TEMP TABLE deferred_completions (
        sequence INTEGER PRIMARY KEY, next_id, segment_id, byte_offset, correlation_id, input_tokens, output_tokens,
        cost_sats, provider_cost_sats, stream_duration_ms, success, error_status, error_message
      );
    `)
  }

  deferrer(): (completion: PlacedCompletion, nextId: number) => void {
    const statement = this.#database.prepare(
      `INSERT INTO deferred_completions (next_id, segment_id, byte_offset, correlation_id, input_tokens, output_tokens,
         cost_sats, provider_cost_sats, stream_duration_ms, success, error_status, error_message)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    return ({ completion, place }, nextId) => {
      statement.run(nextId, place.segmentId, place.byteOffset, ...completionValues(completion))
    }
  }

  /** What the indexes were before, so that one which a user has added comes back too. */
  createIndexes(): void {
    for (const sql of this.#indexes) this.#database.exec(sql)
  }

  /** In the order of the journal; a page at a time, so that statements can run in between. */
  *deferredCompletions(): Generator<DeferredCompletion> {
    const page = this.#database.prepare<[number], DeferredRow>(
      'SELECT * FROM deferred_completions WHERE sequence > ? ORDER BY sequence LIMIT 1000',
    )
    let last = 0
    for (;;) {
      const rows = page.all(last)
      if (rows.length === 0) return
      for (const { sequence, next_id, ...row } of rows) {
        last = sequence
        yield { ...placedCompletion(row), nextId: next_id }
      }
    }
  }

  /** The row that a completion met live: the newest one before it, else the first that came after. */
  requestFinder(): (completion: DeferredCompletion) => StoredRequest | undefined {
    const newestBefore = this.#database.prepare<[string, number], StoredRequest>(
      `SELECT ${STORED_COLUMNS} FROM requests WHERE correlation_id = ? AND id < ? ORDER BY id DESC LIMIT 1`,
    )
    const firstAfter = this.#database.prepare<[string, number], StoredRequest>(
      `SELECT ${STORED_COLUMNS} FROM requests WHERE correlation_id = ? AND id >= ? AND segment_id IS NOT NULL ORDER BY id LIMIT 1`,
    )
    return ({ completion, nextId }) =>
      newestBefore.get(completion.correlation_id, nextId) ?? firstAfter.get(completion.correlation_id, nextId)
  }

  /** The next row gets the next id, as if the rows had come live; and what was put aside is dropped. */
  finish(): void {
    this.#database.exec(`
      DROP TABLE temp.deferred_completions;
      UPDATE sqlite_sequence
        SET seq = max((SELECT last_id FROM unjournaled_requests), coalesce((SELECT max(id) FROM requests), 0))
        WHERE name = 'requests';
    `)
  }
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

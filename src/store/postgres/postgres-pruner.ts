import { Sums } from '../../folds/sums/sums.js'
import { COMPLETION_VALUES, LOGGED_COLUMNS } from '../outcome-columns.js'
import type { StoreTransaction } from '../port.js'
import type { PrunedRows, RowPruner } from '../row-pruner.js'
import { ASIDE_IDS } from './journal-chunks.js'
import type { JournalConnection } from './journal-connection.js'
import { IDS_PER_JOURNAL } from './row-ids.js'
import { STORED_COLUMNS, type StoredRow, storedRequestOf } from './stored-row.js'

/** How many rows one transaction removes. */
const BATCH_ROWS = 2000

/** How many chunks one transaction removes. Each may hold a mebibyte of a journal. */
const BATCH_CHUNKS = 200

/** Chunks of segments up to $2, and those of them that were set aside: two ranges of the index. */
const CHUNKS_THROUGH = `(segment_id <= $2 OR segment_id >= ${ASIDE_IDS} AND segment_id % ${ASIDE_IDS} <= $2)`

export interface PostgresPrunerOptions {
  journal: JournalConnection
  /** Begins a transaction of the store. */
  begin: () => Promise<StoreTransaction>
  rollupLabels: readonly string[]
  /** The id of the last segment whose rows are removed. */
  through: number
  /** The id of the last segment whose bytes are removed too; 0 if the bytes stay. */
  chunksThrough: number
}

/** Removes the rows of a journal's oldest segments from PostgreSQL. */
export class PostgresPruner implements RowPruner {
  readonly #options: PostgresPrunerOptions
  readonly #removed: PrunedRows = { rows: 0, rejected: 0, held: 0 }
  #lastId = 0

  constructor(options: PostgresPrunerOptions) {
    this.#options = options
  }

  async begin(): Promise<void> {
    await this.#inTransaction(async () => {
      // A replay starts numbering rows here, as if the pruned rows had been inserted first.
      await this.#run(
        `UPDATE journals SET pruned_through = $2, pruned_ordinal = greatest(pruned_ordinal, coalesce(
           (SELECT id - 1 - $1::bigint * ${IDS_PER_JOURNAL} FROM requests WHERE journal = $1 AND segment_id > $2 ORDER BY id LIMIT 1),
           next_ordinal - 1))
         WHERE number = $1`,
      )
      await this.#carry()
    })
  }

  async removeBatch(): Promise<boolean> {
    const { through, chunksThrough } = this.#options
    const rows = await this.#removeRequests()
    this.#removed.rows += rows
    if (rows > 0) return true
    const rejected = await this.#removePlaced('rejected_lines', through, BATCH_ROWS)
    this.#removed.rejected += rejected
    if (rejected > 0) return true
    const held = await this.#removePlaced('held_completions', through, BATCH_ROWS)
    this.#removed.held += held
    if (held > 0) return true
    if (chunksThrough === 0) return false
    return (await this.#removePlaced('journal_chunks', chunksThrough, BATCH_CHUNKS, CHUNKS_THROUGH)) > 0
  }

  async finish(): Promise<PrunedRows> {
    const { journal } = this.#options
    await this.#inTransaction(async () => {
      for (const sql of REMOVE_EMPTY_ROLLUPS) await journal.run(sql)
      // Once the positions are removed, only this number shows that lines came late, and that the
      // remaining ids and completions may therefore be in another order than the lines.
      await this.#run(
        `UPDATE journals SET pruned_late_lines = pruned_late_lines
           + (SELECT coalesce(sum(late_lines), 0) FROM journal_segments WHERE journal = $1 AND id <= $2)
         WHERE number = $1`,
      )
      await this.#run('DELETE FROM journal_segments WHERE journal = $1 AND id <= $2')
      await this.#run('DELETE FROM pruned_completion_places WHERE journal = $1 AND segment_id <= $2')
      await journal.run(
        `DELETE FROM superseded_completions s WHERE journal = $1
           AND NOT EXISTS (SELECT FROM requests r WHERE r.journal = $1 AND r.id = s.request_id)`,
      )
    })
    return this.#removed
  }

  /**
   * Keeps what connects requests and completions across the boundary. If a completion in a pruned
   * segment changed a row that is kept, a replay begins with that completion. If a completion in a
   * kept segment changed a row that is pruned, a replay leaves that completion out. The same goes
   * for completions that a later one overwrote, since the later one depends on them: without them
   * it wouldn't count as repeated, and if its `success` is null, the row keeps theirs.
   */
  async #carry(): Promise<void> {
    const superseded =
      'superseded_completions s JOIN requests r ON r.journal = s.journal AND r.id = s.request_id WHERE s.journal = $1'
    await this.#options.journal.run('DELETE FROM carried_completions WHERE journal = $1')
    const values = COMPLETION_VALUES.join(', ')
    for (const sql of [
      `INSERT INTO carried_completions (journal, segment_id, byte_offset, ${values})
         SELECT journal, completed_segment_id, completed_byte_offset, ${LOGGED_COLUMNS}
         FROM requests WHERE journal = $1 AND completed_segment_id <= $2 AND segment_id > $2`,
      `INSERT INTO carried_completions (journal, segment_id, byte_offset, correlation_id, attempt, success)
         SELECT s.journal, s.segment_id, s.byte_offset, r.correlation_id, r.attempt, s.success
         FROM ${superseded} AND s.segment_id <= $2 AND r.segment_id > $2`,
      `INSERT INTO pruned_completion_places
         SELECT journal, correlation_id, completed_segment_id, completed_byte_offset, FALSE
         FROM requests WHERE journal = $1 AND segment_id <= $2 AND completed_segment_id > $2
         ON CONFLICT DO NOTHING`,
      `INSERT INTO pruned_completion_places
         SELECT s.journal, r.correlation_id, s.segment_id, s.byte_offset, FALSE
         FROM ${superseded} AND r.segment_id <= $2 AND s.segment_id > $2
         ON CONFLICT DO NOTHING`,
    ]) {
      await this.#run(sql)
    }
  }

  async #removeRequests(): Promise<number> {
    const { journal, through, rollupLabels } = this.#options
    return await this.#inTransaction(async (transaction) => {
      const rows = await journal.all<StoredRow>(
        `SELECT ${STORED_COLUMNS} FROM requests WHERE journal = $1 AND id > $2 AND segment_id <= $3
         ORDER BY id LIMIT ${BATCH_ROWS}`,
        this.#lastId,
        through,
      )
      if (rows.length === 0) return 0
      await journal.run(
        `DELETE FROM requests r USING unnest($2::bigint[], $3::timestamptz[]) AS gone(id, timestamp)
         WHERE r.journal = $1 AND r.id = gone.id AND r.timestamp = gone.timestamp`,
        rows.map(({ id }) => id),
        rows.map(({ timestamp }) => timestamp),
      )
      await journal.run(
        `UPDATE journal_segments s SET requests = s.requests - gone.n
         FROM (SELECT id, count(*) AS n FROM unnest($2::bigint[]) AS ids(id) GROUP BY id) AS gone
         WHERE s.journal = $1 AND s.id = gone.id`,
        rows.map(({ segment_id }) => segment_id),
      )
      const sums = new Sums(rollupLabels)
      for (const row of rows) sums.remove(storedRequestOf(row))
      await transaction.addSums(sums.take())
      this.#lastId = rows.at(-1)?.id ?? this.#lastId
      return rows.length
    })
  }

  async #removePlaced(
    table: string,
    through: number,
    limit: number,
    range = 'segment_id <= $2',
  ): Promise<number> {
    const sql = `DELETE FROM ${table} WHERE journal = $1 AND (segment_id, byte_offset) IN (
      SELECT segment_id, byte_offset FROM ${table} WHERE journal = $1 AND ${range} LIMIT ${limit})`
    return await this.#inTransaction(() => this.#options.journal.run(sql, through))
  }

  /**
   * Runs a statement whose parameters are the journal, `$1`, and the last segment whose rows are
   * removed, `$2`.
   */
  async #run(sql: string): Promise<void> {
    const { journal, through } = this.#options
    await journal.run(sql, through)
  }

  async #inTransaction<T>(action: (transaction: StoreTransaction) => Promise<T>): Promise<T> {
    const transaction = await this.#options.begin()
    try {
      const result = await action(transaction)
      await transaction.commit()
      return result
    } catch (error) {
      await transaction.rollback()
      throw error
    }
  }
}

/** Removes the roll-ups and totals that no request is left in. */
const REMOVE_EMPTY_ROLLUPS = [
  `DELETE FROM rollup_latencies l USING rollups r WHERE l.journal = $1 AND r.journal = $1 AND r.grain = l.grain
     AND r.period = l.period AND r.dimension_id = l.dimension_id AND r.requests = 0`,
  'DELETE FROM rollups WHERE journal = $1 AND requests = 0',
  `DELETE FROM rollup_total_latencies l USING rollup_totals t WHERE l.journal = $1 AND t.journal = $1
     AND t.grain = l.grain AND t.grouped_by = l.grouped_by AND t.period = l.period AND t.group_name = l.group_name
     AND t.requests = 0`,
  'DELETE FROM rollup_totals WHERE journal = $1 AND requests = 0',
  `DELETE FROM rollup_dimensions WHERE journal = $1
     AND id NOT IN (SELECT dimension_id FROM rollups WHERE journal = $1 AND grain = 'day')`,
  `DELETE FROM rollup_names WHERE journal = $1
     AND key NOT IN (SELECT group_name FROM rollup_totals WHERE journal = $1 AND group_name LIKE '#%')`,
]

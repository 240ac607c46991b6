import { Sums } from '../../folds/sums/sums.js'
import { COMPLETION_VALUES } from '../outcome-columns.js'
import type { StoreTransaction } from '../port.js'
import type { PrunedRows, RowPruner } from '../row-pruner.js'
import type { Connection } from './connection/connection.js'
import { IDS_PER_JOURNAL } from './row-ids.js'
import { STORED_COLUMNS, type StoredRow, storedRequestOf } from './stored-row.js'

/** How many rows one transaction removes. */
const BATCH_ROWS = 2000

/** How many chunks one transaction removes. Each may hold a mebibyte of a journal. */
const BATCH_CHUNKS = 200

/**
 * The values that a row got from its completion. A row's costs may come from elsewhere, so they are
 * taken only where they were logged: this is `loggedFigures` in SQL.
 */
const LOGGED_COLUMNS = COMPLETION_VALUES.map((column) => {
  if (column !== 'cost_sats' && column !== 'cost_usd') return column
  const other = column === 'cost_sats' ? 'usd' : 'sats'
  const isOther = `cost_currency IS NOT DISTINCT FROM '${other}'`
  return `CASE WHEN cost_source IS NULL OR (cost_source = 'logged' AND NOT ${isOther}) THEN ${column} END`
}).join(', ')

export interface PostgresPrunerOptions {
  connection: Connection
  journal: number
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
    return (
      (await this.#removeRequests()) ||
      (await this.#removeOthers('rejected_lines', 'rejected')) ||
      (await this.#removeOthers('held_completions', 'held')) ||
      (await this.#removeChunks())
    )
  }

  async finish(): Promise<PrunedRows> {
    const { connection, journal } = this.#options
    await this.#inTransaction(async () => {
      for (const sql of EMPTY_ROLLUPS) await connection.run(sql, journal)
      // Once the positions are removed, only this number shows that lines came late, and that the
      // remaining ids and completions may therefore be in another order than the lines.
      await this.#run(
        `UPDATE journals SET pruned_late_lines = pruned_late_lines
           + (SELECT coalesce(sum(late_lines), 0) FROM journal_segments WHERE journal = $1 AND id <= $2)
         WHERE number = $1`,
      )
      await this.#run('DELETE FROM journal_segments WHERE journal = $1 AND id <= $2')
      await this.#run('DELETE FROM pruned_completion_places WHERE journal = $1 AND segment_id <= $2')
      await connection.run(
        `DELETE FROM superseded_completions s WHERE journal = $1
           AND NOT EXISTS (SELECT FROM requests r WHERE r.journal = $1 AND r.id = s.request_id)`,
        journal,
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
    const { connection, journal } = this.#options
    await connection.run('DELETE FROM carried_completions WHERE journal = $1', journal)
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

  async #removeRequests(): Promise<boolean> {
    const { connection, journal, through, rollupLabels } = this.#options
    const removed = await this.#inTransaction(async (transaction) => {
      const rows = await connection.raw<StoredRow>(
        `SELECT ${STORED_COLUMNS} FROM requests WHERE journal = $1 AND id > $2 AND segment_id <= $3
         ORDER BY id LIMIT ${BATCH_ROWS}`,
        journal,
        this.#lastId,
        through,
      )
      const requests = rows.map(storedRequestOf)
      if (requests.length === 0) return 0
      await connection.run(
        `DELETE FROM requests r USING unnest($2::bigint[], $3::timestamptz[]) AS gone(id, timestamp)
         WHERE r.journal = $1 AND r.id = gone.id AND r.timestamp = gone.timestamp`,
        journal,
        requests.map(({ id }) => id),
        requests.map(({ timestamp }) => timestamp),
      )
      await connection.run(
        `UPDATE journal_segments s SET requests = s.requests - gone.n
         FROM (SELECT id, count(*) AS n FROM unnest($2::bigint[]) AS ids(id) GROUP BY id) AS gone
         WHERE s.journal = $1 AND s.id = gone.id`,
        journal,
        requests.map(({ place }) => place?.segmentId ?? null),
      )
      const sums = new Sums(rollupLabels)
      for (const request of requests) sums.remove(request)
      await transaction.addSums(sums.take())
      this.#lastId = requests.at(-1)?.id ?? this.#lastId
      return requests.length
    })
    this.#removed.rows += removed
    return removed > 0
  }

  async #removeOthers(
    table: 'rejected_lines' | 'held_completions',
    what: 'rejected' | 'held',
  ): Promise<boolean> {
    const { through } = this.#options
    const removed = await this.#inTransaction(() => this.#removeLines(table, through, BATCH_ROWS))
    this.#removed[what] += removed
    return removed > 0
  }

  async #removeChunks(): Promise<boolean> {
    const { chunksThrough } = this.#options
    if (chunksThrough === 0) return false
    return (
      (await this.#inTransaction(() => this.#removeLines('journal_chunks', chunksThrough, BATCH_CHUNKS))) > 0
    )
  }

  async #removeLines(table: string, through: number, limit: number): Promise<number> {
    return await this.#options.connection.run(
      `DELETE FROM ${table} WHERE journal = $1 AND (segment_id, byte_offset) IN (
         SELECT segment_id, byte_offset FROM ${table} WHERE journal = $1 AND segment_id <= $2 LIMIT ${limit})`,
      this.#options.journal,
      through,
    )
  }

  /**
   * Runs a statement whose parameters are the journal, `$1`, and the last segment whose rows are
   * removed, `$2`.
   */
  async #run(sql: string): Promise<number> {
    const { connection, journal, through } = this.#options
    return await connection.run(sql, journal, through)
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
const EMPTY_ROLLUPS = [
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

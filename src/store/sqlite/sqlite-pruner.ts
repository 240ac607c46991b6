import { Sums } from '../../folds/sums/sums.js'
import { COMPLETION_VALUES, LOGGED_COLUMNS } from '../outcome-columns.js'
import { isPrunedSql, type PrunedRows, type RowExtent, type RowPruner } from '../row-pruner.js'
import type { Database } from './connection/database.js'
import { pageOf } from './request-queries.js'
import { rollupLabels } from './rollups/rollup-labels.js'
import { SqliteStatements, writeSums } from './sqlite-transaction.js'
import { STORED_COLUMNS, type StoredRow, storedRequestOf } from './stored-row.js'

/**
 * How many rows one transaction removes. Other writers of the database wait no longer than that
 * takes.
 */
const BATCH_ROWS = 2000

/**
 * Removes the rows of the oldest segments, and of imported ones, from an SQLite database. An
 * imported segment may be pruned individually only if no completion connects it with another
 * segment.
 */
export class SqlitePruner implements RowPruner {
  readonly #database: Database
  readonly #extent: RowExtent
  readonly #statements: SqliteStatements
  readonly #rollupLabels: readonly string[]
  readonly #removed: PrunedRows = { rows: 0, rejected: 0, held: 0 }
  #lastId = 0

  constructor(database: Database, extent: RowExtent) {
    this.#database = database
    this.#extent = extent
    this.#statements = new SqliteStatements(database)
    this.#rollupLabels = rollupLabels(database)
  }

  async begin(): Promise<void> {
    const database = this.#database
    const { through, imports } = this.#extent
    this.#inTransaction(() => {
      const remember = database.prepare(
        `INSERT OR IGNORE INTO pruned_imports (segment_id, requests)
         SELECT ?, count(*) FROM requests WHERE segment_id = ?`,
      )
      for (const id of imports) remember.run(id, id)
      if (through === 0) return
      const { changes } = database.prepare('UPDATE pruned_segments SET through_segment_id = ?').run(through)
      if (changes === 0) {
        database.prepare('INSERT INTO pruned_segments (through_segment_id) VALUES (?)').run(through)
      }
      database.prepare('DELETE FROM pruned_imports WHERE segment_id <= ?').run(through)
      database
        .prepare('UPDATE unjournaled_requests SET last_id = max(last_id, ?)')
        .run(this.#idBeforeTheRest(through))
      this.#carry()
    })
  }

  /**
   * Returns the id after which a replay starts numbering rows, as if the pruned rows had been
   * inserted first.
   */
  #idBeforeTheRest(through: number): number {
    const [first] = this.#database
      .prepare<[number], { id: number; segment: number }>(
        `SELECT id, segment_id AS segment FROM requests
         WHERE segment_id > ? AND segment_id NOT IN (SELECT segment_id FROM pruned_imports) ORDER BY id LIMIT 1`,
      )
      .all(through)
    const seq = this.#database
      .prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'requests'")
      .pluck()
    // A replay itself skips the ids of imports that were pruned individually.
    const passed = this.#database
      .prepare<[number], number>('SELECT coalesce(sum(requests), 0) FROM pruned_imports WHERE segment_id < ?')
      .pluck()
      .get(first?.segment ?? Number.MAX_SAFE_INTEGER)
    return (first === undefined ? (seq.get() ?? 0) : first.id - 1) - (passed ?? 0)
  }

  async removeBatch(): Promise<boolean> {
    return (
      this.#removeRequests() ||
      this.#removeOthers('rejected_lines', 'rejected') ||
      this.#removeOthers('held_completions', 'held')
    )
  }

  async finish(): Promise<PrunedRows> {
    const gone = (column: string) => isPrunedSql(this.#extent, column)
    const database = this.#database
    this.#inTransaction(() => {
      this.#statements.rollups.removeEmpty()
      // Once the positions are removed, only this number shows that lines came late, and that the
      // remaining ids and completions may therefore be in another order than the lines.
      database
        .prepare(
          `UPDATE pruned_segments SET late_lines = late_lines
             + (SELECT coalesce(sum(late_lines), 0) FROM journal_segments WHERE ${gone('id')})`,
        )
        .run()
      database.exec(`DELETE FROM journal_segments WHERE ${gone('id')}`)
      database.exec(`DELETE FROM pruned_completion_places WHERE ${gone('segment_id')}`)
      database.exec(
        'DELETE FROM superseded_completions WHERE NOT EXISTS (SELECT 1 FROM requests WHERE id = request_id)',
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
  #carry(): void {
    const { through } = this.#extent
    const stays = '(r.segment_id > ? OR r.segment_id IS NULL)'
    const superseded = 'superseded_completions s JOIN requests r ON r.id = s.request_id'
    this.#database.exec('DELETE FROM carried_completions')
    const statements = [
      `INSERT INTO carried_completions (segment_id, byte_offset, ${COMPLETION_VALUES.join(', ')})
         SELECT completed_segment_id, completed_byte_offset, ${LOGGED_COLUMNS}
         FROM requests r WHERE completed_segment_id <= ? AND ${stays}`,
      `INSERT INTO carried_completions (segment_id, byte_offset, correlation_id, attempt, success)
         SELECT s.segment_id, s.byte_offset, r.correlation_id, r.attempt, s.success
         FROM ${superseded} WHERE s.segment_id <= ? AND ${stays}`,
      `INSERT OR IGNORE INTO pruned_completion_places
         SELECT correlation_id, completed_segment_id, completed_byte_offset, FALSE
         FROM requests WHERE segment_id <= ? AND completed_segment_id > ?`,
      `INSERT OR IGNORE INTO pruned_completion_places
         SELECT r.correlation_id, s.segment_id, s.byte_offset, FALSE
         FROM ${superseded} WHERE r.segment_id <= ? AND s.segment_id > ?`,
    ]
    for (const sql of statements) this.#database.prepare(sql).run(through, through)
  }

  #removeRequests(): boolean {
    const database = this.#database
    const statement = database
      .prepare<[number, number], StoredRow>(
        `SELECT ${STORED_COLUMNS} FROM requests
         WHERE id > ? AND ${isPrunedSql(this.#extent)} ORDER BY id LIMIT ?`,
      )
      .raw()
    const rows = pageOf(statement.iterate(this.#lastId, BATCH_ROWS))
    const requests = rows.map((row) => storedRequestOf(row, 0))
    if (requests.length === 0) return false
    const remove = database.prepare('DELETE FROM requests WHERE id = ?')
    const uncount = database.prepare('UPDATE journal_segments SET requests = requests - 1 WHERE id = ?')
    this.#inTransaction(() => {
      const sums = new Sums(this.#rollupLabels)
      for (const request of requests) {
        remove.run(request.id)
        uncount.run(request.place?.segmentId)
        sums.remove(request)
      }
      writeSums(this.#statements, sums.take(), this.#rollupLabels)
    })
    this.#lastId = requests.at(-1)?.id ?? this.#lastId
    this.#removed.rows += requests.length
    return true
  }

  #removeOthers(table: 'rejected_lines' | 'held_completions', what: 'rejected' | 'held'): boolean {
    const sql = `DELETE FROM ${table} WHERE (segment_id, byte_offset) IN
      (SELECT segment_id, byte_offset FROM ${table} WHERE ${isPrunedSql(this.#extent)} LIMIT ?)`
    const { changes } = this.#database.prepare(sql).run(BATCH_ROWS)
    this.#removed[what] += changes
    return changes > 0
  }

  #inTransaction(act: () => void): void {
    this.#database.transaction(act).immediate()
  }
}

/**
 * Returns the ids of segments that have a completion which changed a request of another segment, or
 * a request that was changed by such a completion.
 */
export function connectedSegments(database: Database): ReadonlySet<number> {
  const pairs = database
    .prepare<[], [number | null, number | null]>(
      `SELECT DISTINCT segment_id, completed_segment_id FROM requests
         WHERE completed_segment_id IS NOT NULL AND completed_segment_id IS NOT segment_id
       UNION SELECT r.segment_id, s.segment_id FROM superseded_completions s JOIN requests r ON r.id = s.request_id
         WHERE s.segment_id IS NOT r.segment_id`,
    )
    .raw()
    .all()
  return new Set(pairs.flat().filter((id) => id !== null))
}

import type { DeferredCompletion, KnownRequest } from '../../folds/changes.js'
import { MAX_SHARED_ROWS, requestOf } from '../../folds/completions.js'
import type { StoredRequest } from '../../folds/stored-request.js'
import {
  COMPLETION_COLUMNS,
  type CompletionRow,
  completionValues,
  placedCompletion,
} from './completion-rows.js'
import type { Connection } from './connection/connection.js'
import { CopyRows } from './connection/copy-rows.js'
import {
  type CandidateRow,
  candidatesOf,
  STORED_COLUMNS,
  type StoredRow,
  storedRequestOf,
} from './stored-row.js'

/** How many completions are read at a time. */
const PAGE_ROWS = 5000

/** The completions of a replay. They wait until all requests of the journal are inserted. */
export class DeferredCompletions {
  readonly #connection: Connection
  readonly #journal: number
  #count = 0

  constructor(connection: Connection, journal: number) {
    this.#connection = connection
    this.#journal = journal
  }

  async begin(): Promise<void> {
    await this.#connection.exec(
      `CREATE TEMP TABLE deferred_completions ON COMMIT DROP AS
         SELECT 0::BIGINT AS sequence, 0::BIGINT AS before_id, ${COMPLETION_COLUMNS.join(', ')}
         FROM held_completions LIMIT 0`,
    )
  }

  async add(completions: readonly DeferredCompletion[]): Promise<void> {
    const rows = new CopyRows()
    for (const completion of completions) {
      rows.add([++this.#count, completion.beforeId, ...completionValues(completion)])
    }
    await this.#connection.copy(
      'deferred_completions',
      ['sequence', 'before_id', ...COMPLETION_COLUMNS],
      rows,
    )
  }

  /** Defers the completions of pruned segments, whose lines came before all lines that remain. */
  async addCarried(beforeId: number): Promise<void> {
    const rows = await this.#connection.all<CompletionRow & { [column: string]: unknown }>(
      `SELECT ${COMPLETION_COLUMNS.join(', ')} FROM carried_completions
       WHERE journal = $1 ORDER BY segment_id, byte_offset`,
      this.#journal,
    )
    await this.add(rows.map((row) => ({ ...placedCompletion(row), beforeId })))
  }

  /**
   * Yields the completions in their order, a page at a time, with what their fold must know. No two
   * in a page have the same correlation_id. Completions of requests that were pruned are left out.
   */
  async *pages(): AsyncGenerator<{
    completions: DeferredCompletion[]
    requests: Map<string, KnownRequest[]>
    later: Map<string, StoredRequest>
  }> {
    await this.#connection.exec('CREATE INDEX ON deferred_completions (sequence)')
    for (let last = 0; ; ) {
      const rows = await this.#connection.all<
        CompletionRow & { sequence: number; before_id: number; [column: string]: unknown }
      >(
        `SELECT * FROM deferred_completions d WHERE sequence > $2 AND NOT EXISTS (
           SELECT FROM pruned_completion_places p WHERE p.journal = $1 AND p.correlation_id = d.correlation_id
             AND (p.segment_id, p.byte_offset) >= (d.segment_id, d.byte_offset)
             AND (p.with_earlier OR (p.segment_id, p.byte_offset) = (d.segment_id, d.byte_offset)))
         ORDER BY sequence LIMIT ${PAGE_ROWS}`,
        this.#journal,
        last,
      )
      if (rows.length === 0) return
      last = rows.at(-1)?.sequence ?? last
      let page = new Map<string, DeferredCompletion>()
      for (const { sequence, before_id, ...row } of rows) {
        if (page.has(row.correlation_id)) {
          yield await this.#withRequests([...page.values()])
          page = new Map()
        }
        page.set(row.correlation_id, { ...placedCompletion(row), beforeId: before_id })
      }
      yield await this.#withRequests([...page.values()])
    }
  }

  async #withRequests(completions: DeferredCompletion[]): Promise<{
    completions: DeferredCompletion[]
    requests: Map<string, KnownRequest[]>
    later: Map<string, StoredRequest>
  }> {
    const sought = completions.map(({ completion, beforeId }) => ({
      id: completion.correlation_id,
      attempt: completion.attempt ?? null,
      beforeId,
    }))
    const found = await this.#connection.raw<CandidateRow>(
      `SELECT k.correlation_id, r.newer, ${STORED_COLUMNS}
       FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS k(correlation_id, sought, before_id)
       CROSS JOIN LATERAL (
         SELECT *, row_number() OVER newest - 1 AS newer,
           count(*) FILTER (WHERE streaming AND completed_segment_id IS NULL) OVER newest AS open_rank,
           row_number() OVER (PARTITION BY attempt ORDER BY id DESC) AS attempt_rank
         FROM (SELECT * FROM requests WHERE journal = $1 AND correlation_id = k.correlation_id
           AND id < k.before_id ORDER BY id DESC LIMIT ${MAX_SHARED_ROWS}) shared
         WINDOW newest AS (ORDER BY id DESC)) r
       WHERE r.newer = 0 OR (r.attempt_rank = 1 AND r.attempt = k.sought)
         OR (k.sought IS NULL AND r.streaming AND r.completed_segment_id IS NULL AND r.open_rank <= 2)
       ORDER BY k.correlation_id, r.newer`,
      this.#journal,
      sought.map(({ id }) => id),
      sought.map(({ attempt }) => attempt),
      sought.map(({ beforeId }) => beforeId),
    )
    const requests = candidatesOf(
      sought.map(({ id }) => id),
      found,
    )
    const missed = sought.filter(({ id, attempt }) => requestOf(attempt, requests.get(id) ?? []) === null)
    return { completions, requests, later: await this.#firstAfter(missed) }
  }

  /** Returns the first request that came after each of these completions. */
  async #firstAfter(
    sought: readonly { id: string; attempt: number | null; beforeId: number }[],
  ): Promise<Map<string, StoredRequest>> {
    if (sought.length === 0) return new Map()
    const rows = await this.#connection.raw<[correlationId: string, ...row: StoredRow]>(
      `SELECT k.correlation_id, r.*
       FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS k(correlation_id, sought, before_id)
       CROSS JOIN LATERAL (
         SELECT ${STORED_COLUMNS} FROM requests WHERE journal = $1 AND correlation_id = k.correlation_id
           AND id >= k.before_id AND (k.sought IS NULL OR attempt = k.sought) ORDER BY id LIMIT 1) r`,
      this.#journal,
      sought.map(({ id }) => id),
      sought.map(({ attempt }) => attempt),
      sought.map(({ beforeId }) => beforeId),
    )
    return new Map(rows.map(([id, ...row]) => [id, storedRequestOf(row)]))
  }
}

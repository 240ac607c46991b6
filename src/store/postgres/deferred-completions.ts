import type { DeferredCompletion, KnownRequest } from '../../folds/changes.js'
import { requestOf } from '../../folds/completions.js'
import type { StoredRequest } from '../../folds/stored-request.js'
import { COMPLETION_COLUMNS } from '../outcome-columns.js'
import { type CompletionRow, completionValues, placedCompletion } from './completion-rows.js'
import { CopyRows } from './connection/copy-rows.js'
import type { JournalConnection } from './journal-connection.js'
import { findRequests, STORED_COLUMNS, type StoredRow, storedRequestOf } from './stored-row.js'

/** How many completions are read at a time. */
const PAGE_ROWS = 5000

/** Completions of different correlation_ids, and what their fold must know. */
interface DeferredPage {
  completions: DeferredCompletion[]
  requests: Map<string, KnownRequest[]>
  later: Map<string, StoredRequest>
}

/** The completions of a replay. They wait until all requests of the journal are inserted. */
export class DeferredCompletions {
  readonly #journal: JournalConnection
  #count = 0

  constructor(journal: JournalConnection) {
    this.#journal = journal
  }

  async begin(): Promise<void> {
    await this.#journal.connection.exec(
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
    const columns = ['sequence', 'before_id', ...COMPLETION_COLUMNS]
    await this.#journal.connection.copy('deferred_completions', columns, rows)
  }

  /** Defers the completions of pruned segments, whose lines came before all lines that remain. */
  async addCarried(beforeId: number): Promise<void> {
    const rows = await this.#journal.all<CompletionRow>(
      `SELECT ${COMPLETION_COLUMNS.join(', ')} FROM carried_completions
       WHERE journal = $1 ORDER BY segment_id, byte_offset`,
    )
    await this.add(rows.map((row) => ({ ...placedCompletion(row), beforeId })))
  }

  /**
   * Yields the completions in their order, a page at a time. Completions of requests that were
   * pruned are left out.
   */
  async *pages(): AsyncGenerator<DeferredPage> {
    await this.#journal.connection.exec('CREATE INDEX ON deferred_completions (sequence)')
    for (let last = 0; ; ) {
      const rows = await this.#journal.all<CompletionRow & { sequence: number; before_id: number }>(
        `SELECT * FROM deferred_completions d WHERE sequence > $2 AND NOT EXISTS (
           SELECT FROM pruned_completion_places p WHERE p.journal = $1 AND p.correlation_id = d.correlation_id
             AND (p.segment_id, p.byte_offset) >= (d.segment_id, d.byte_offset)
             AND (p.with_earlier OR (p.segment_id, p.byte_offset) = (d.segment_id, d.byte_offset)))
         ORDER BY sequence LIMIT ${PAGE_ROWS}`,
        last,
      )
      if (rows.length === 0) return
      let page = new Map<string, DeferredCompletion>()
      for (const { sequence, before_id, ...row } of rows) {
        last = sequence
        if (page.has(row.correlation_id)) {
          yield await this.#pageOf([...page.values()])
          page = new Map()
        }
        page.set(row.correlation_id, { ...placedCompletion(row), beforeId: before_id })
      }
      yield await this.#pageOf([...page.values()])
    }
  }

  async #pageOf(completions: DeferredCompletion[]): Promise<DeferredPage> {
    const requests = await findRequests(
      this.#journal,
      completions.map(({ completion: { correlation_id, attempt = null }, beforeId }) => ({
        correlationId: correlation_id,
        beforeId,
        count: 1,
        attempts: new Set([attempt]),
      })),
    )
    const missed = completions.filter(
      ({ completion: { correlation_id, attempt = null } }) =>
        requestOf(attempt, requests.get(correlation_id) ?? []) === null,
    )
    return { completions, requests, later: await this.#firstAfter(missed) }
  }

  /** Returns the first request that came after each of these completions. */
  async #firstAfter(missed: readonly DeferredCompletion[]): Promise<Map<string, StoredRequest>> {
    if (missed.length === 0) return new Map()
    const rows = await this.#journal.all<StoredRow & { correlation_id: string }>(
      `SELECT k.correlation_id, r.*
       FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS k(correlation_id, sought, before_id)
       CROSS JOIN LATERAL (
         SELECT ${STORED_COLUMNS} FROM requests WHERE journal = $1 AND correlation_id = k.correlation_id
           AND id >= k.before_id AND (k.sought IS NULL OR attempt = k.sought) ORDER BY id LIMIT 1) r`,
      missed.map(({ completion }) => completion.correlation_id),
      missed.map(({ completion }) => completion.attempt ?? null),
      missed.map(({ beforeId }) => beforeId),
    )
    return new Map(rows.map(({ correlation_id, ...row }) => [correlation_id, storedRequestOf(row)]))
  }
}

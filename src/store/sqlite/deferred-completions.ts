import type SQLite from 'better-sqlite3'
import type { DeferredCompletion } from '../../folds/changes.js'
import { DETAIL_COLUMNS } from '../outcome-columns.js'
import { prunedCompletionTest } from './completion-rows.js'
import type { Database } from './connection/database.js'

/** A raw row of `deferred_completions`. */
type DeferredRow = [
  sequence: number,
  beforeId: number,
  segmentId: number,
  byteOffset: number,
  correlation_id: string,
  attempt: number | null,
  input_tokens: number | null,
  output_tokens: number | null,
  cost_sats: number | null,
  provider_cost_sats: number | null,
  stream_duration_ms: number | null,
  success: number | null,
  error_status: number | null,
  error_message: string | null,
  /** A JSON object of the details that are given; null if there are none. */
  details: string | null,
]

/**
 * How many rows are read at a time. The objects of 1,000 rows wouldn't fit into V8's young
 * generation, which is kept small: see `keepNewSpaceSmall`.
 */
const PAGE_ROWS = 100

/** Keeps deferred completions in a table that lasts as long as a transaction. */
export class DeferredCompletions {
  readonly #database: Database
  readonly #insert: SQLite.Statement

  constructor(database: Database) {
    this.#database = database
    database.exec(`
      CREATE TEMP TABLE deferred_completions (
        sequence INTEGER PRIMARY KEY, before_id, segment_id, byte_offset, correlation_id, attempt, input_tokens,
        output_tokens, cost_sats, provider_cost_sats, stream_duration_ms, success, error_status, error_message, details
      )
    `)
    this.#insert = database.prepare(
      'INSERT INTO deferred_completions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    )
  }

  add({ beforeId, completion, place }: DeferredCompletion): void {
    const { success } = completion
    this.#insert.run(
      beforeId,
      place.segmentId,
      place.byteOffset,
      completion.correlation_id,
      completion.attempt ?? null,
      completion.input_tokens,
      completion.output_tokens,
      completion.cost_sats,
      completion.provider_cost_sats,
      completion.stream_duration_ms,
      success === null ? null : Number(success),
      completion.error_status,
      completion.error_message,
      detailsJson(completion),
    )
  }

  /**
   * Yields the completions in their order. No two in a page have the same correlation_id, so that
   * each one finds what those before it have changed. Completions of requests that were pruned are
   * left out.
   */
  *pages(): Generator<DeferredCompletion[]> {
    const wasPruned = prunedCompletionTest(this.#database)
    const statement = this.#database
      .prepare<[number], DeferredRow>(
        `SELECT * FROM deferred_completions WHERE sequence > ? ORDER BY sequence LIMIT ${PAGE_ROWS}`,
      )
      .raw()
    let last = 0
    for (let rows = statement.all(last); rows.length > 0; rows = statement.all(last)) {
      let page: DeferredCompletion[] = []
      const ids = new Set<string>()
      for (const row of rows) {
        last = row[0]
        const deferred = deferredCompletion(row)
        const { correlation_id } = deferred.completion
        if (wasPruned(correlation_id, deferred.place)) continue
        if (ids.has(correlation_id)) {
          yield page
          page = []
          ids.clear()
        }
        ids.add(correlation_id)
        page.push(deferred)
      }
      if (page.length > 0) yield page
    }
  }

  drop(): void {
    this.#database.exec('DROP TABLE temp.deferred_completions')
  }
}

/** Most completions have no details. */
function detailsJson(completion: DeferredCompletion['completion']): string | null {
  let details: Record<string, string | number> | null = null
  for (const column of DETAIL_COLUMNS) {
    const value = completion[column] ?? null
    if (value === null) continue
    details ??= {}
    details[column] = value
  }
  return details === null ? null : JSON.stringify(details)
}

function deferredCompletion([
  ,
  beforeId,
  segmentId,
  byteOffset,
  correlation_id,
  attempt,
  input_tokens,
  output_tokens,
  cost_sats,
  provider_cost_sats,
  stream_duration_ms,
  success,
  error_status,
  error_message,
  details,
]: DeferredRow): DeferredCompletion {
  const completion = {
    correlation_id,
    attempt,
    input_tokens,
    output_tokens,
    cost_sats,
    provider_cost_sats,
    stream_duration_ms,
    success: success === null ? null : success === 1,
    error_status,
    error_message,
  }
  return {
    completion: details === null ? completion : { ...completion, ...JSON.parse(details) },
    place: { segmentId, byteOffset },
    beforeId,
  }
}

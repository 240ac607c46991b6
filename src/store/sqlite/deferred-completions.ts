import type SQLite from 'better-sqlite3'
import type { DeferredCompletion } from '../../folds/changes.js'
import { DETAIL_COLUMNS, USUAL_OUTCOME_COLUMNS } from '../outcome-columns.js'
import { prunedCompletionTest, valuesOf } from './completion-rows.js'
import type { Database } from './connection/database.js'
import type { RowValue } from './row-queue.js'

/** The values of a completion that have a column each. */
const COLUMNS = ['correlation_id', 'attempt', ...USUAL_OUTCOME_COLUMNS] as const

/** A raw row of `deferred_completions`. */
type DeferredRow = [
  sequence: number,
  beforeId: number,
  segmentId: number,
  byteOffset: number,
  /** A JSON object of the details that are given; null if there are none. */
  details: string | null,
  ...values: RowValue[],
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
        sequence INTEGER PRIMARY KEY, before_id, segment_id, byte_offset, details, ${COLUMNS.join(', ')}
      )
    `)
    const placeholders = COLUMNS.map(() => '?').join(', ')
    this.#insert = database.prepare(
      `INSERT INTO deferred_completions VALUES (NULL, ?, ?, ?, ?, ${placeholders})`,
    )
  }

  add({ beforeId, completion, place: { segmentId, byteOffset } }: DeferredCompletion): void {
    const values = valuesOf(completion, COLUMNS)
    this.#insert.run(beforeId, segmentId, byteOffset, detailsJson(completion), ...values)
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
      const page = new Map<string, DeferredCompletion>()
      for (const row of rows) {
        last = row[0]
        const deferred = deferredCompletion(row)
        const { correlation_id } = deferred.completion
        if (wasPruned(correlation_id, deferred.place)) continue
        if (page.has(correlation_id)) {
          yield [...page.values()]
          page.clear()
        }
        page.set(correlation_id, deferred)
      }
      if (page.size > 0) yield [...page.values()]
    }
  }

  drop(): void {
    this.#database.exec('DROP TABLE temp.deferred_completions')
  }
}

/** Returns the details that a completion gives, as JSON; null if it gives none, as is usual. */
function detailsJson(completion: DeferredCompletion['completion']): string | null {
  const given = DETAIL_COLUMNS.filter((column) => (completion[column] ?? null) !== null)
  return given.length === 0 ? null : JSON.stringify(completion, given)
}

function deferredCompletion([
  ,
  beforeId,
  segmentId,
  byteOffset,
  details,
  ...values
]: DeferredRow): DeferredCompletion {
  const completion = details === null ? {} : JSON.parse(details)
  for (const [index, column] of COLUMNS.entries()) completion[column] = values[index]
  if (completion.success !== null) completion.success = completion.success === 1
  return { completion, place: { segmentId, byteOffset }, beforeId }
}

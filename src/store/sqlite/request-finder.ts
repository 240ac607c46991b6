import type { Database } from './connection/database.js'
import { STORED_COLUMNS, type StoredRequest } from './stored-request.js'

/**
 * How many of the newest rows that share a correlation_id are looked at. An id that more share isn't one, and a client
 * that makes its gateway use one id for everything must not make each completion read every row of it.
 */
export const MAX_SHARED_ROWS = 1000

/** What tells which row a completion changes. */
export interface CompletionKey {
  correlation_id: string
  /** Null or undefined: not told. */
  attempt?: number | null
}

export interface FoundRequest {
  request: StoredRequest
  /** Other rows were open too, and the completion named no attempt. */
  isAmbiguous: boolean
}

/** Finds the row that a completion changes, by the rules of journal/README.md. */
export class RequestFinder {
  readonly #statements: ReturnType<typeof prepareStatements>

  constructor(database: Database) {
    this.#statements = prepareStatements(database)
  }

  /**
   * The row of a completion for which no row came too early.
   *
   * @param nextId only rows with lower ids were there when the completion came.
   */
  find(
    { correlation_id, attempt = null }: CompletionKey,
    nextId = Number.MAX_SAFE_INTEGER,
  ): FoundRequest | undefined {
    const { newestTwo, withAttempt, openTwo } = this.#statements
    // Hardly any id is shared by several rows: then one statement is enough.
    const newest = newestTwo.all(correlation_id, nextId)
    const request = newest[0]
    if (request === undefined) return undefined
    if (attempt !== null) {
      const named = newest.find((row) => row.attempt === attempt)
      const found =
        named ?? (newest.length < 2 ? undefined : withAttempt.get(correlation_id, nextId, attempt))
      return found === undefined ? undefined : { request: found, isAmbiguous: false }
    }
    if (newest.length < 2) return { request, isAmbiguous: false }
    const open = openTwo.all(correlation_id, nextId)
    return { request: open[0] ?? request, isAmbiguous: open.length > 1 }
  }

  /** The request that a completion waited for: the first from the journal that came after it. */
  firstAfter({ correlation_id, attempt = null }: CompletionKey, nextId: number): StoredRequest | undefined {
    return this.#statements.firstAfter.get(correlation_id, nextId, attempt, attempt)
  }
}

function prepareStatements(database: Database) {
  const newest = (limit: number) =>
    `SELECT ${STORED_COLUMNS} FROM requests WHERE correlation_id = ? AND id < ? ORDER BY id DESC LIMIT ${limit}`
  return {
    newestTwo: database.prepare<[string, number], StoredRequest>(newest(2)),
    withAttempt: database.prepare<[string, number, number], StoredRequest>(
      `SELECT * FROM (${newest(MAX_SHARED_ROWS)}) WHERE attempt = ? ORDER BY id DESC LIMIT 1`,
    ),
    openTwo: database.prepare<[string, number], StoredRequest>(
      `SELECT * FROM (${newest(MAX_SHARED_ROWS)}) WHERE streaming <> 0 AND completed_segment_id IS NULL
       ORDER BY id DESC LIMIT 2`,
    ),
    firstAfter: database.prepare<[string, number, number | null, number | null], StoredRequest>(
      `SELECT ${STORED_COLUMNS} FROM requests
       WHERE correlation_id = ? AND id >= ? AND segment_id IS NOT NULL AND (? IS NULL OR attempt = ?)
       ORDER BY id LIMIT 1`,
    ),
  }
}

import type { Database } from '../storage/database.js'
import { all } from './condition.js'
import { checkedFilter, type RequestFilter, rowCondition } from './filter.js'
import { ENTRY_COLUMNS, type EntryRow, type RequestEntry, requestEntry } from './request-entry.js'

export interface NewRequestsOptions {
  /** The last answer's `last_id`; null: what comes from now on. */
  afterId: number | null
  /** The last answer's `open_ids`. @default none */
  openIds?: readonly number[] | undefined
  /** Entries of an answer at most, from 1. @default 100 */
  limit?: number | undefined
  /** since and until included. @default every request */
  filter?: RequestFilter | undefined
}

/** What is new behind an id. Ask again with `last_id` and `open_ids` of this answer. */
export interface NewRequests {
  /** In the order of their ids. */
  data: RequestEntry[]
  /** Requests of `openIds` that a stream_completed has changed since, as far as they match the filter now. */
  completed: RequestEntry[]
  /** Everything up to this id has been looked at. */
  last_id: number
  /** Streams that match, whatever their outcome will be, and have not ended: the newest 1,000 of them. */
  open_ids: number[]
  /** More waits already: ask again at once. */
  has_more: boolean
}

/** Streams that are watched for their end: one that ends later is found by who asks for the request. */
const MAX_OPEN = 1000

/** Ids that one answer looks at, so that a tail which nothing matches, begun far back, blocks its thread for short. */
const MAX_SCANNED = 100_000

const DEFAULT_LIMIT = 100

/** Watched for as long as nothing has said how it ended. */
const IS_OPEN = 'streaming <> 0 AND completed_segment_id IS NULL AND stream_duration_ms IS NULL'

interface TailRow extends EntryRow {
  is_open: number
}

/**
 * The requests that came behind an id, for live tails.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL; MODEL_NOT_FOUND, PROVIDER_NOT_FOUND only for `afterId: null`: a tail
 *   that has begun goes on when the last request of a model was pruned
 */
export function newRequests(database: Database, options: NewRequestsOptions): NewRequests {
  const { afterId, openIds = [], limit = DEFAULT_LIMIT } = options
  return database.transaction(() => {
    const named = options.filter ?? {}
    if (afterId === null) {
      checkedFilter(database, named)
      return { data: [], completed: [], last_id: greatestId(database), open_ids: [], has_more: false }
    }
    const filter = { ...named, ...checkedFilter(database, { since: named.since, until: named.until }) }
    const { rows, lastId, hasMore } = readBehind(database, filter, afterId, limit)
    const watched = readIds(database, filter, openIds)
    const isWanted = (row: EntryRow) => filter.success === undefined || (row.success !== 0) === filter.success
    const open = [...watched, ...rows].filter((row) => row.is_open === 1).map(({ id }) => id)
    return {
      data: rows.filter(isWanted).map(requestEntry),
      completed: watched.filter((row) => row.is_open === 0 && isWanted(row)).map(requestEntry),
      last_id: lastId,
      open_ids: open.slice(-MAX_OPEN),
      has_more: hasMore,
    }
  })()
}

/** Rows that match, and streams that may come to match once they have failed. */
function readBehind(
  database: Database,
  { success, ...filter }: RequestFilter,
  afterId: number,
  limit: number,
): { rows: TailRow[]; lastId: number; hasMore: boolean } {
  const greatest = greatestId(database)
  // Ids may have gaps: a replay begins behind those of rows that were there before the journal.
  const next = database
    .prepare<[number], { id: number | null }>('SELECT min(id) AS id FROM requests WHERE id > ?')
    .get(afterId)
  // Also where ids have become smaller, as a replay may leave them: the tail goes on behind the last one.
  if (next === undefined || next.id === null) return { rows: [], lastId: greatest, hasMore: false }
  const through = Math.min(greatest, next.id + MAX_SCANNED)
  const wanted =
    success === undefined ? 'TRUE' : `(${IS_OPEN}) OR ${success ? 'success <> 0' : 'success = 0'}`
  const { sql, values } = rowCondition(filter)
  const rows = database
    .prepare<unknown[], TailRow>(
      `SELECT ${ENTRY_COLUMNS}, ${IS_OPEN} AS is_open FROM requests NOT INDEXED
       WHERE id > ? AND id <= ? AND ${sql} AND (${wanted}) ORDER BY id LIMIT ?`,
    )
    .all(afterId, through, ...values, limit)
  const lastId = rows.length === limit ? (rows.at(-1)?.id ?? through) : through
  return { rows, lastId, hasMore: lastId < greatest }
}

function readIds(database: Database, filter: RequestFilter, ids: readonly number[]): TailRow[] {
  const watched = {
    sql: 'id IN (SELECT value FROM json_each(?))',
    values: [JSON.stringify(ids.slice(-MAX_OPEN))],
  }
  const { sql, values } = all([watched, rowCondition({ ...filter, success: undefined })])
  const statement = database.prepare<unknown[], TailRow>(
    `SELECT ${ENTRY_COLUMNS}, ${IS_OPEN} AS is_open FROM requests NOT INDEXED WHERE ${sql} ORDER BY id`,
  )
  return statement.all(...values)
}

function greatestId(database: Database): number {
  return database.prepare<[], number>('SELECT coalesce(max(id), 0) FROM requests').pluck().get() ?? 0
}

import type { Database } from '../storage/database.js'
import { all } from './condition.js'
import { checkedFilter, type RequestFilter, rowCondition, storedNames } from './filter.js'
import { FULL_COLUMNS, type FullRow } from './full-row.js'
import { type DetailedEntry, detailedEntry } from './request-entry.js'

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
  data: DetailedEntry[]
  /** Requests of `openIds` that a stream_completed has changed since, as far as they match the filter now. */
  completed: DetailedEntry[]
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

interface TailRow extends FullRow {
  is_open: number
  /** Whether its outcome is the one that is asked for. */
  is_wanted: number
}

/**
 * The requests that came behind an id, for live tails.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL, INVALID_BEFORE, INVALID_FILTER; MODEL_NOT_FOUND, PROVIDER_NOT_FOUND only for `afterId: null`: a tail
 *   that has begun goes on when the last request of a model was pruned
 */
export function newRequests(database: Database, options: NewRequestsOptions): NewRequests {
  const { afterId, openIds = [], limit = DEFAULT_LIMIT } = options
  return database.transaction(() => {
    const named = storedNames(options.filter ?? {})
    if (afterId === null) {
      checkedFilter(database, named)
      return { data: [], completed: [], last_id: greatestId(database), open_ids: [], has_more: false }
    }
    const checked = checkedFilter(database, { ...named, model: undefined, provider: undefined })
    const { model, provider } = named
    const now = checked.now ?? Date.now()
    const filter = { ...checked, model, provider }
    const { rows, lastId, hasMore } = readBehind(database, filter, afterId, limit)
    const watched = readIds(database, filter, openIds)
    const open = [...watched, ...rows].filter((row) => row.is_open === 1).map(({ id }) => id)
    return {
      data: rows.filter(isWanted).map((row) => detailedEntry(row, now)),
      completed: watched
        .filter((row) => row.is_open === 0 && isWanted(row))
        .map((row) => detailedEntry(row, now)),
      last_id: lastId,
      open_ids: open.slice(-MAX_OPEN),
      has_more: hasMore,
    }
  })()
}

function isWanted({ is_wanted }: TailRow): boolean {
  return is_wanted === 1
}

/** A filter in two: by what a row keeps, and by what the end of a stream changes. */
function byOutcome({ success, open, unfinished, now, ...lasting }: RequestFilter) {
  return { lasting: rowCondition(lasting), outcome: rowCondition({ success, open, unfinished, now }) }
}

/** Rows that match, and streams that may come to match once they have ended. */
function readBehind(
  database: Database,
  filter: RequestFilter,
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
  const { lasting, outcome } = byOutcome(filter)
  const rows = database
    .prepare<unknown[], TailRow>(
      `SELECT ${FULL_COLUMNS}, ${IS_OPEN} AS is_open, ${outcome.sql} AS is_wanted FROM requests NOT INDEXED
       WHERE id > ? AND id <= ? AND ${lasting.sql} AND (is_open OR is_wanted) ORDER BY id LIMIT ?`,
    )
    .all(...outcome.values, afterId, through, ...lasting.values, limit)
  const lastId = rows.length === limit ? (rows.at(-1)?.id ?? through) : through
  return { rows, lastId, hasMore: lastId < greatest }
}

function readIds(database: Database, filter: RequestFilter, ids: readonly number[]): TailRow[] {
  const watched = {
    sql: 'id IN (SELECT value FROM json_each(?))',
    values: [JSON.stringify(ids.slice(-MAX_OPEN))],
  }
  const { lasting, outcome } = byOutcome(filter)
  const { sql, values } = all([watched, lasting])
  const statement = database.prepare<unknown[], TailRow>(
    `SELECT ${FULL_COLUMNS}, ${IS_OPEN} AS is_open, ${outcome.sql} AS is_wanted FROM requests NOT INDEXED
     WHERE ${sql} ORDER BY id`,
  )
  return statement.all(...outcome.values, ...values)
}

function greatestId(database: Database): number {
  return database.prepare<[], number>('SELECT coalesce(max(id), 0) FROM requests').pluck().get() ?? 0
}

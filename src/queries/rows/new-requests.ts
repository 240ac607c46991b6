import { unfinishedUntil } from '../../folds/sums/counted-values.js'
import type { Condition } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { checkedFilter, type RequestFilter, storedNames } from '../window/filter.js'
import { greatestId } from './full-row.js'
import { newSharedRequests } from './new-shared-requests.js'
import {
  DEFAULT_CHARACTERS,
  DEFAULT_LIMIT,
  isOpenSql,
  MAX_OPEN,
  MAX_SCANNED,
  type NewRequests,
  type NewRequestsOptions,
  TailAnswer,
  type TailRow,
  tailFilter,
  tailRows,
} from './tail-answer.js'
import { invalidPosition } from './tail-position.js'

export type { NewRequests, NewRequestsOptions } from './tail-answer.js'
export type { TailPosition } from './tail-position.js'

/**
 * Reads the requests that were added after a position, for live tails.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL, INVALID_BEFORE, INVALID_FILTER, INVALID_CURSOR;
 *   MODEL_NOT_FOUND, PROVIDER_NOT_FOUND and JOURNAL_NOT_FOUND only for `afterId: null`: a running
 *   tail isn't ended because the last request of a model was pruned.
 */
export function newRequests(database: QueryDatabase, options: NewRequestsOptions): NewRequests {
  if (dialectOf(database).isShared) return newSharedRequests(database, options)
  const { afterId, openIds = [], limit = DEFAULT_LIMIT, maxCharacters = DEFAULT_CHARACTERS } = options
  return database.transaction(() => {
    const named = storedNames(options.filter ?? {})
    if (afterId === null) {
      checkedFilter(database, named)
      return { data: [], completed: [], last_id: greatestId(database), open_ids: [], has_more: false }
    }
    if (typeof afterId !== 'number') throw invalidPosition(afterId)
    const filter = tailFilter(database, named)
    const watched = openIds === null ? findMissed(database, afterId) : { ids: openIds, hasGap: false }
    const answer = new TailAnswer(filter.now ?? Date.now(), maxCharacters)
    for (const row of readIds(database, filter, watched.ids)) answer.addWatched(row)
    const gap = watched.hasGap ? { has_gap: true as const } : {}
    // No new requests while a completion waits to be sent: a caller that has an id has everything
    // that was completed before it.
    if (answer.isFull) return { ...answer.end(afterId), has_more: true, ...gap }
    const { lastId, hasMore } = readNew(database, filter, afterId, limit, answer)
    return { ...answer.end(lastId), has_more: hasMore, ...gap }
  })()
}

/** Reads new rows that match, and new streams that may match once they have ended. */
function readNew(
  database: QueryDatabase,
  filter: RequestFilter,
  afterId: number,
  limit: number,
  answer: TailAnswer,
): { lastId: number; hasMore: boolean } {
  const greatest = greatestId(database)
  // Ids may have gaps: a replay begins after the ids of rows that are older than the journal.
  const next = database
    .prepare<[number], { id: number | null }>('SELECT min(id) AS id FROM requests WHERE id > ?')
    .get(afterId)
  // A replay may have made ids smaller: then the tail continues after the greatest one.
  if (next === undefined || next.id === null) return { lastId: greatest, hasMore: false }
  const through = Math.min(greatest, next.id + MAX_SCANNED)
  const rows = selectRows(database, filter, { sql: 'id > ? AND id <= ?', values: [afterId, through] }, true)
  let count = 0
  for (const row of rows) {
    answer.addNew(row)
    if (++count < limit && !answer.isFull) continue
    return { lastId: row.id, hasMore: row.id < greatest }
  }
  return { lastId: through, hasMore: through < greatest }
}

function readIds(database: QueryDatabase, filter: RequestFilter, ids: readonly number[]): Iterable<TailRow> {
  const values = [JSON.stringify(ids.slice(-MAX_OPEN))]
  return selectRows(database, filter, { sql: 'id IN (SELECT value FROM json_each(?))', values })
}

/**
 * Finds the streams up to an id that haven't ended, and those that were completed since then: the
 * line of their completion is after the line of the newest request up to the id.
 */
function findMissed(database: QueryDatabase, afterId: number): { ids: number[]; hasGap: boolean } {
  const newest = database
    .prepare<[number], { id: number; timestamp: string; segment_id: number; byte_offset: number }>(
      `SELECT id, timestamp, segment_id, byte_offset FROM requests
       WHERE id <= ? AND segment_id IS NOT NULL ORDER BY id DESC LIMIT 1`,
    )
    .get(afterId)
  if (newest === undefined) return { ids: [], hasGap: false }
  const found = database
    .prepare<unknown[], { id: number; is_open: number }>(
      `SELECT id, ${isOpenSql(database)} AS is_open FROM requests NOT INDEXED WHERE id > ? AND id <= ?
         AND (is_open OR (completed_segment_id, completed_byte_offset) > (?, ?)) ORDER BY is_open, id DESC LIMIT ?`,
    )
    .all(newest.id - MAX_SCANNED, afterId, newest.segment_id, newest.byte_offset, MAX_OPEN)
  const oldest = database
    .prepare<[number], { timestamp: string }>(
      'SELECT timestamp FROM requests WHERE id <= ? ORDER BY id DESC LIMIT 1',
    )
    .get(newest.id - MAX_SCANNED)
  // A stream of more than an hour counts as unfinished: it isn't watched any more.
  const mayBeOpen = unfinishedUntil(Date.parse(newest.timestamp))
  const isCut = found.length === MAX_OPEN && found.at(-1)?.is_open === 0
  const hasGap = isCut || (oldest !== undefined && oldest.timestamp > mayBeOpen)
  return { ids: found.map(({ id }) => id), hasGap }
}

/**
 * Reads rows by their ids, if the columns that they keep match the filter.
 *
 * @param isNew leaves out rows that neither match nor can match once they have ended.
 */
function* selectRows(
  database: QueryDatabase,
  filter: RequestFilter,
  condition: Condition,
  isNew = false,
): Generator<TailRow> {
  const { sql, values } = tailRows(database, filter, condition)
  const counted = isNew ? ' AND (is_open OR is_wanted)' : ''
  yield* database.prepare<unknown[], TailRow>(`${sql}${counted} ORDER BY id`).iterate(...values)
}

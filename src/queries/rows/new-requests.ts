import { unfinishedUntil } from '../../folds/sums/unended-streams.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { all, type Condition } from '../window/condition.js'
import { checkedFilter, type RequestFilter, rowCondition, storedNames } from '../window/filter.js'
import { splitValueFilters } from '../window/value-filters.js'
import { type FullRow, fullColumns, greatestId } from './full-row.js'
import { type DetailedEntry, detailedEntry } from './request-entry.js'

export interface NewRequestsOptions {
  /** The last answer's `last_id`; null: begin now. */
  afterId: number | null
  /** The last answer's `open_ids`; null: the caller has lost them. @default none */
  openIds?: readonly number[] | null | undefined
  /** How many entries an answer may have, from 1. @default 100 */
  limit?: number | undefined
  /**
   * After this many characters of JSON an answer ends; it has at least one entry.
   * @default 262144
   */
  maxCharacters?: number | undefined
  /** Its `since` and `until` hold too. @default every request */
  filter?: RequestFilter | undefined
}

/**
 * What is new after an id. The next question is asked with `last_id` and `open_ids` of this answer.
 */
export interface NewRequests {
  /** In the order of their ids. */
  data: DetailedEntry[]
  /**
   * Requests of `openIds` that a stream_completed has changed since, if they match the filter now.
   * If `openIds` was null: all that one has changed after the request `afterId` was logged, of
   * which the caller may know some already.
   */
  completed: DetailedEntry[]
  /**
   * All requests up to this id have been looked at, and all that were completed by then are in
   * `completed`.
   */
  last_id: number
  /** The newest 1,000 streams that haven't ended and match, whatever their outcome will be. */
  open_ids: number[]
  /** Whether more is there already: ask again at once. */
  has_more: boolean
  /**
   * Only with `openIds: null`: older streams may have been completed since that aren't in
   * `completed`.
   */
  has_gap?: true
}

/**
 * How many streams are watched for their end. The end of any other is found by asking for the
 * request.
 */
const MAX_OPEN = 1000

/**
 * How many ids one answer looks at, so that a tail that began far back and matches nothing takes a
 * short time.
 */
const MAX_SCANNED = 100_000

const DEFAULT_LIMIT = 100
const DEFAULT_CHARACTERS = 256 * 1024

/** Whether a stream is watched: nothing has said how it ended. */
const IS_OPEN = 'streaming <> 0 AND completed_segment_id IS NULL AND stream_duration_ms IS NULL'

interface TailRow extends FullRow {
  is_open: number
  /** Whether it has the outcome that is asked for. */
  is_wanted: number
}

/**
 * Reads the requests that came after an id, for live tails.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL, INVALID_BEFORE, INVALID_FILTER; MODEL_NOT_FOUND
 *   and PROVIDER_NOT_FOUND only for `afterId: null`: a tail goes on when the last request of a
 *   model was pruned
 */
export function newRequests(database: QueryDatabase, options: NewRequestsOptions): NewRequests {
  if (dialectOf(database).isAdded === null) throw new TypeError('newRequests: expected a SQLite database')
  const { afterId, openIds = [], limit = DEFAULT_LIMIT, maxCharacters = DEFAULT_CHARACTERS } = options
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
    const watched = openIds === null ? findMissed(database, afterId) : { ids: openIds, hasGap: false }
    const answer = new BoundedAnswer(now, maxCharacters)
    for (const row of readIds(database, filter, watched.ids)) answer.addWatched(row)
    const gap = watched.hasGap ? { has_gap: true as const } : {}
    // No new ids while a completion waits: a caller that knows an id knows all that was completed
    // before it.
    if (answer.isFull) return { ...answer.end(afterId), has_more: true, ...gap }
    const { lastId, hasMore } = readNew(database, filter, afterId, limit, answer)
    return { ...answer.end(lastId), has_more: hasMore, ...gap }
  })()
}

/** Gathers entries until their JSON has enough characters. */
class BoundedAnswer {
  readonly #now: number
  #charactersLeft: number
  readonly #data: DetailedEntry[] = []
  readonly #completed: DetailedEntry[] = []
  readonly #openIds: number[] = []

  constructor(now: number, maxCharacters: number) {
    this.#now = now
    this.#charactersLeft = maxCharacters
  }

  get isFull(): boolean {
    return this.#charactersLeft <= 0
  }

  addWatched(row: TailRow): void {
    // A row that doesn't fit stays watched, and the next answer has it.
    if (row.is_open === 1 || (this.isFull && isWanted(row))) this.#openIds.push(row.id)
    else if (isWanted(row)) this.#add(this.#completed, row)
  }

  addNew(row: TailRow): void {
    if (row.is_open === 1) this.#openIds.push(row.id)
    if (isWanted(row)) this.#add(this.#data, row)
  }

  end(lastId: number): Omit<NewRequests, 'has_more'> {
    const open = this.#openIds.slice(-MAX_OPEN)
    return { data: this.#data, completed: this.#completed, last_id: lastId, open_ids: open }
  }

  #add(entries: DetailedEntry[], row: TailRow): void {
    const entry = detailedEntry(row, this.#now)
    this.#charactersLeft -= JSON.stringify(entry).length
    entries.push(entry)
  }
}

function isWanted({ is_wanted }: TailRow): boolean {
  return is_wanted === 1
}

/**
 * Splits a filter in two: by columns that a row keeps, and by those that the end of a stream
 * changes.
 */
function byOutcome(database: QueryDatabase, { success, open, unfinished, now, ...others }: RequestFilter) {
  const { changing, lasting } = splitValueFilters(others)
  return {
    lasting: rowCondition(database, lasting),
    outcome: rowCondition(database, { ...changing, success, open, unfinished, now }),
  }
}

/** Reads rows that match, and streams that may match once they have ended. */
function readNew(
  database: QueryDatabase,
  filter: RequestFilter,
  afterId: number,
  limit: number,
  answer: BoundedAnswer,
): { lastId: number; hasMore: boolean } {
  const greatest = greatestId(database)
  // Ids may have gaps: a replay begins after those of rows that were there before the journal.
  const next = database
    .prepare<[number], { id: number | null }>('SELECT min(id) AS id FROM requests WHERE id > ?')
    .get(afterId)
  // A replay may have made ids smaller: then the tail goes on after the last one.
  if (next === undefined || next.id === null) return { lastId: greatest, hasMore: false }
  const through = Math.min(greatest, next.id + MAX_SCANNED)
  const rows = selectRows(database, filter, {
    sql: 'id > ? AND id <= ? AND (is_open OR is_wanted)',
    values: [afterId, through],
  })
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
 * Finds the streams up to an id that haven't ended, and those that were completed since: the line
 * of their completion stands after that of the newest request up to the id.
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
      `SELECT id, ${IS_OPEN} AS is_open FROM requests NOT INDEXED WHERE id > ? AND id <= ?
         AND (is_open OR (completed_segment_id, completed_byte_offset) > (?, ?)) ORDER BY is_open, id DESC LIMIT ?`,
    )
    .all(newest.id - MAX_SCANNED, afterId, newest.segment_id, newest.byte_offset, MAX_OPEN)
  const oldest = database
    .prepare<[number], { timestamp: string }>(
      'SELECT timestamp FROM requests WHERE id <= ? ORDER BY id DESC LIMIT 1',
    )
    .get(newest.id - MAX_SCANNED)
  // A stream of more than an hour counts as unfinished: nobody waits for its end.
  const mayBeOpen = unfinishedUntil(Date.parse(newest.timestamp))
  const isCut = found.length === MAX_OPEN && found.at(-1)?.is_open === 0
  const hasGap = isCut || (oldest !== undefined && oldest.timestamp > mayBeOpen)
  return { ids: found.map(({ id }) => id), hasGap }
}

/** Reads rows by their ids, if the columns that they keep match the filter. */
function* selectRows(
  database: QueryDatabase,
  filter: RequestFilter,
  condition: Condition,
): Generator<TailRow> {
  const { lasting, outcome } = byOutcome(database, filter)
  const { sql, values } = all([condition, lasting])
  yield* database
    .prepare<unknown[], TailRow>(
      `SELECT ${fullColumns(database)}, ${IS_OPEN} AS is_open, ${outcome.sql} AS is_wanted FROM requests NOT INDEXED
       WHERE ${sql} ORDER BY id`,
    )
    .iterate(...outcome.values, ...values)
}

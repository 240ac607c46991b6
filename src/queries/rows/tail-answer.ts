import { all, type Condition } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { checkedFilter, type RequestFilter, rowCondition } from '../window/filter.js'
import { splitValueFilters } from '../window/value-filters.js'
import { type FullRow, fullColumns } from './full-row.js'
import { type DetailedEntry, detailedEntry } from './request-entry.js'
import type { TailPosition } from './tail-position.js'

export interface NewRequestsOptions {
  /** The last answer's `last_id`; null to begin with requests that are added from now on. */
  afterId: TailPosition | null
  /** The last answer's `open_ids`; null if the caller doesn't know them any more. @default none */
  openIds?: readonly number[] | null | undefined
  /**
   * The last answer's `open_from`. With it PostgreSQL looks for these streams in fewer partitions.
   * @default unknown
   */
  openFrom?: string | undefined
  /** How many entries an answer may have, from 1. @default 100 */
  limit?: number | undefined
  /** An answer ends after this many characters of JSON and one entry. @default 262144 */
  maxCharacters?: number | undefined
  /** Which requests are wanted. Its `since` and `until` apply too. @default every request */
  filter?: RequestFilter | undefined
}

/**
 * What is new after a position. The caller passes `last_id`, `open_ids` and `open_from` of this
 * answer to the next call.
 */
export interface NewRequests {
  /** New requests. Those of each journal are in the order of their ids. */
  data: DetailedEntry[]
  /** Only with PostgreSQL: the position after each entry of `data`. */
  positions?: string[]
  /**
   * Requests of `openIds` that a stream_completed has changed since, if they match the filter now.
   * If `openIds` was null: all requests that were changed after the request `afterId` was logged.
   * The caller may know some of these changes already.
   */
  completed: DetailedEntry[]
  /**
   * All requests up to this position have been checked, and all that were completed by then are in
   * `completed`.
   */
  last_id: TailPosition
  /** The newest 1,000 streams that haven't ended and may match, depending on their outcome. */
  open_ids: number[]
  /** The first timestamp of these streams; left out if there are none. */
  open_from?: string
  /** Whether there is more already, so that the caller should ask again at once. */
  has_more: boolean
  /**
   * Older streams may have been completed meanwhile that aren't in `completed` (only with
   * `openIds: null`), or the tables of PostgreSQL were made anew.
   */
  has_gap?: true
}

/**
 * How many streams are watched for their end. To find out how another one ended, ask for the
 * request itself.
 */
export const MAX_OPEN = 1000

/**
 * How many ids are scanned for one answer, so that an answer doesn't take long even if the tail
 * began far back and nothing matches.
 */
export const MAX_SCANNED = 100_000

export const DEFAULT_LIMIT = 100
export const DEFAULT_CHARACTERS = 256 * 1024

export interface TailRow extends FullRow {
  is_open: number
  /** Whether it has the outcome that is asked for. */
  is_wanted: number
}

/** Returns the SQL of whether a stream is watched: nothing that was logged says how it ended. */
export function isOpenSql(database: QueryDatabase): string {
  return `${dialectOf(database).isTrue('streaming')} AND completed_segment_id IS NULL AND stream_duration_ms IS NULL`
}

/** Gathers entries until their JSON has enough characters. */
export class TailAnswer {
  readonly #now: number
  #charactersLeft: number
  readonly #data: DetailedEntry[] = []
  readonly #completed: DetailedEntry[] = []
  readonly #open: TailRow[] = []

  /** @param now milliseconds since 1970. */
  constructor(now: number, maxCharacters: number) {
    this.#now = now
    this.#charactersLeft = maxCharacters
  }

  get isFull(): boolean {
    return this.#charactersLeft <= 0
  }

  addWatched(row: TailRow): void {
    // A row that doesn't fit into this answer stays watched, so that the next answer has it.
    if (row.is_open === 1 || (this.isFull && isWanted(row))) this.#open.push(row)
    else if (isWanted(row)) this.#add(this.#completed, row)
  }

  /** @returns whether the row has become an entry of the answer. */
  addNew(row: TailRow): boolean {
    if (row.is_open === 1) this.#open.push(row)
    if (isWanted(row)) this.#add(this.#data, row)
    return isWanted(row)
  }

  end(lastId: TailPosition): Omit<NewRequests, 'has_more'> {
    const open = this.#open.slice(-MAX_OPEN)
    const [first] = open.map(({ timestamp }) => timestamp).sort()
    return {
      data: this.#data,
      completed: this.#completed,
      last_id: lastId,
      open_ids: open.map(({ id }) => id),
      ...(first === undefined ? {} : { open_from: first }),
    }
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

/** Checks the filter of a tail that has begun before. Its names may be unknown by now. */
export function tailFilter(database: QueryDatabase, filter: RequestFilter): RequestFilter {
  const { model, provider, journal } = filter
  const unnamed = { ...filter, model: undefined, provider: undefined, journal: undefined }
  return { ...checkedFilter(database, unnamed), model, provider, journal }
}

/**
 * Returns the SELECT of the rows, as `TailRow`, that meet a condition and the part of a filter that
 * is about columns which never change. The other columns change when a stream ends.
 */
export function tailRows(database: QueryDatabase, filter: RequestFilter, condition: Condition): Condition {
  const { success, open, unfinished, now, ...others } = filter
  const { changing, lasting } = splitValueFilters(others)
  const outcome = rowCondition(database, { ...changing, success, open, unfinished, now })
  const { sql, values } = all([condition, rowCondition(database, lasting)])
  const flag = (is: string, name: string) => `CASE WHEN ${is} THEN 1 ELSE 0 END AS ${name}`
  return {
    sql: `SELECT ${fullColumns(database)}, ${flag(isOpenSql(database), 'is_open')}, ${flag(outcome.sql, 'is_wanted')}
      FROM requests ${dialectOf(database).unindexed} WHERE ${sql}`,
    values: [...outcome.values, ...values],
  }
}

import type { Database } from '../storage/database.js'
import type { RequestFilter } from './filter.js'
import { ENTRY_COLUMNS, type EntryRow, type RequestEntry, requestEntry } from './request-entry.js'
import { type EchoedWindow, echoWindow, type Window } from './window.js'
import { windowCondition } from './window-condition.js'

/** The cursor of the first page. */
export const START_CURSOR = 'start'

export interface ListRequestsOptions extends RequestFilter {
  /** From 1. @default 1 */
  page?: number | undefined
  /** From 1 to 100. @default 20 */
  perPage?: number | undefined
  /** @default 'timestamp' */
  sort?: 'timestamp' | 'cost_sats' | 'latency_ms' | undefined
  /** Ties are broken by id in the same direction; an unknown cost is the smallest. @default 'desc' */
  order?: 'asc' | 'desc' | undefined
  /** {@link START_CURSOR}, or the last page's `next_cursor`: pages by key rather than by number. @default by number */
  cursor?: string | undefined
}

/** The body of `GET /v1/requests`. */
export interface RequestPage extends EchoedWindow {
  data: RequestEntry[]
  page: number
  per_page: number
  total: number
  /** 0 when total is. */
  total_pages: number
}

/** The body of `GET /v1/requests?cursor=…`. */
export interface RequestCursorPage extends EchoedWindow {
  data: RequestEntry[]
  per_page: number
  /** Of the next page; left out on the last one. */
  next_cursor?: string
}

/** A page of the requests of a window, newest first; its count and its rows are of the same moment. */
export function listRequests(
  database: Database,
  options: ListRequestsOptions & { cursor: string },
): RequestCursorPage
export function listRequests(
  database: Database,
  options?: ListRequestsOptions & { cursor?: undefined },
): RequestPage
export function listRequests(
  database: Database,
  options?: ListRequestsOptions,
): RequestPage | RequestCursorPage
export function listRequests(
  database: Database,
  { page = 1, perPage = 20, ...filter }: ListRequestsOptions = {},
): RequestPage | RequestCursorPage {
  const options = { page, perPage, ...filter }
  return database.transaction(() => {
    const total = countRequests(database, options)
    return {
      data: readEntries(database, options, total),
      page: options.page,
      per_page: options.perPage,
      total,
      total_pages: Math.ceil(total / options.perPage),
      ...echoWindow(options),
    }
  })()
}

function countRequests(database: Database, window: Window): number {
  const { sql, parameters } = windowCondition(window)
  const statement = database.prepare<[Window], { total: number }>(
    `SELECT count(*) AS total FROM requests WHERE ${sql}`,
  )
  return statement.get(parameters)?.total ?? 0
}

function readEntries(
  database: Database,
  options: Window & { page: number; perPage: number },
  total: number,
): RequestEntry[] {
  const offset = (options.page - 1) * options.perPage
  // SQLite would step over every row to find that none is left.
  if (offset >= total) return []
  const { sql, parameters } = windowCondition(options)
  const statement = database.prepare<[Window & { limit: number; offset: number }], EntryRow>(
    `SELECT ${ENTRY_COLUMNS} FROM requests WHERE ${sql} ORDER BY timestamp DESC, id DESC LIMIT @limit OFFSET @offset`,
  )
  return statement.all({ ...parameters, limit: options.perPage, offset }).map(requestEntry)
}

import type { QueryDatabase } from '../../store/query-database.js'
import { oneOf } from '../errors.js'
import { tallyWhole } from '../sums/tally-requests.js'
import { countAddedRows } from '../window/added-rows.js'
import { type ShownCurrency, shownCurrency } from '../window/currency.js'
import {
  checkedFilter,
  countRows,
  isOfDimensions,
  type RequestFilter,
  rowCondition,
} from '../window/filter.js'
import { type EchoedWindow, echoWindow } from '../window/window.js'
import type { FullRow } from './full-row.js'
import { decodeCursor, encodeCursor, type PageEnd, type RequestOrder, type RequestSort } from './page-end.js'
import { detailedEntry, pricedEntry, type RequestEntry, requestEntry } from './request-entry.js'
import { type RowSlice, readSlice } from './row-slice.js'

const SORTS: readonly RequestSort[] = ['timestamp', 'cost_sats', 'latency_ms']
/** The contract has no costs in dollars: sorting by them takes a parameter beyond it. */
const SORTS_OF_CURRENCY: readonly RequestSort[] = [...SORTS, 'cost_usd']
const ORDERS: readonly RequestOrder[] = ['asc', 'desc']
const MAX_PER_PAGE = 100

export interface ListRequestsOptions extends RequestFilter {
  /** The number of the page, from 1. @default 1 */
  page?: number | undefined
  /** From 1 to 100. @default 20 */
  perPage?: number | undefined
  /** `cost_usd` is allowed only together with a `currency`. @default 'timestamp' */
  sort?: RequestSort | undefined
  /** Ties are broken by id, in the same order; unknown costs are the smallest. @default 'desc' */
  order?: RequestOrder | undefined
  /** {@link START_CURSOR} or the last page's `next_cursor`. @default pages by number */
  cursor?: string | undefined
  /**
   * Adds the cost in dollars, correlation_id, attempt, policy, labels and state to each entry, and
   * the currencies to the answer. A `currency` adds only the cost in dollars and the currencies.
   * @default false
   */
  details?: boolean | undefined
}

/** The body of `GET /v1/requests`. */
export interface RequestPage extends EchoedWindow, Partial<ShownCurrency> {
  data: RequestEntry[]
  page: number
  per_page: number
  total: number
  /** 0 if `total` is 0. */
  total_pages: number
}

/** The body of `GET /v1/requests?cursor=…`. */
export interface RequestCursorPage extends EchoedWindow, Partial<ShownCurrency> {
  data: RequestEntry[]
  per_page: number
  /** The cursor of the next page; left out on the last one. */
  next_cursor?: string
}

/**
 * Reads a page of the requests of a window. Count and rows are of the same moment. A page past the
 * end has no rows.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL, INVALID_BEFORE, INVALID_FILTER,
 *   INVALID_CURRENCY, MODEL_NOT_FOUND, PROVIDER_NOT_FOUND, INVALID_SORT, INVALID_ORDER,
 *   INVALID_CURSOR, in this order; TIMED_OUT
 */
export function listRequests(
  database: QueryDatabase,
  options: ListRequestsOptions & { cursor: string },
): RequestCursorPage
export function listRequests(
  database: QueryDatabase,
  options?: ListRequestsOptions & { cursor?: undefined },
): RequestPage
export function listRequests(
  database: QueryDatabase,
  options?: ListRequestsOptions,
): RequestPage | RequestCursorPage
export function listRequests(
  database: QueryDatabase,
  options: ListRequestsOptions = {},
): RequestPage | RequestCursorPage {
  return database.transaction(() => {
    const filter = checkedFilter(database, options)
    const { currency, details } = options
    const sorts = currency === undefined ? SORTS : SORTS_OF_CURRENCY
    const sort = oneOf(sorts, options.sort ?? 'timestamp', 'INVALID_SORT', 'sort field')
    const { order: orderAsked = 'desc' } = options
    const order = oneOf(ORDERS, orderAsked.toLowerCase(), 'INVALID_ORDER', 'sort order', orderAsked)
    const perPage = Math.min(MAX_PER_PAGE, Math.max(1, options.perPage ?? 20))
    const shown = details || currency !== undefined ? shownCurrency(database, options) : {}
    const asked = { ...echoWindow(options), ...shown }
    if (options.cursor === undefined)
      return { ...pageByNumber(database, filter, { sort, order }, perPage), ...asked }
    const after = decodeCursor(options.cursor, sort, order)
    return { ...pageByKey(database, filter, { sort, order, after }, perPage), ...asked }
  })()
}

function pageByNumber(
  database: QueryDatabase,
  filter: ListRequestsOptions,
  sorting: Pick<RowSlice, 'sort' | 'order'>,
  perPage: number,
): Omit<RequestPage, keyof (EchoedWindow & ShownCurrency)> {
  const page = Math.max(1, filter.page ?? 1)
  const total = countRequests(database, filter)
  const offset = (page - 1) * perPage
  const slice = { ...sorting, offset, limit: perPage, after: null }
  return {
    // Without this check, SQLite would step over every row only to find that none is left.
    data: offset >= total ? [] : entries(filter, readSlice(database, filter, slice)),
    page,
    per_page: perPage,
    total,
    total_pages: Math.ceil(total / perPage),
  }
}

function pageByKey(
  database: QueryDatabase,
  filter: ListRequestsOptions,
  slice: Pick<RowSlice, 'sort' | 'order' | 'after'>,
  perPage: number,
): Omit<RequestCursorPage, keyof (EchoedWindow & ShownCurrency)> {
  // One row more than is shown is read, to find out whether there is another page.
  const rows = readSlice(database, filter, { ...slice, offset: 0, limit: perPage + 1 })
  const shown = rows.slice(0, perPage)
  const { sort, order } = slice
  const last = rows.length > perPage ? shown.at(-1) : undefined
  return {
    data: entries(filter, shown),
    per_page: perPage,
    ...(last === undefined ? {} : { next_cursor: encodeCursor(sort, order, endOf(last, sort)) }),
  }
}

function entries(
  { details, currency, now = Date.now() }: ListRequestsOptions,
  rows: FullRow[],
): RequestEntry[] {
  if (details) return rows.map((row) => detailedEntry(row, now))
  return rows.map((row) => (currency === undefined ? requestEntry(row) : pricedEntry(row)))
}

function countRequests(database: QueryDatabase, filter: RequestFilter): number {
  const { success, streaming } = filter
  // Only the rows can answer, and counting them is quicker than adding up their sums.
  if (!isOfDimensions(database, filter)) return countRows(database, rowCondition(database, filter))
  // The sums count by success and streaming themselves.
  const tally = tallyWhole(database, { filter: { ...filter, success: undefined, streaming: undefined } })
  return tally.requestsThat(success, streaming) + countAddedRows(database, filter)
}

function endOf(row: FullRow, sort: RequestSort): PageEnd {
  return { key: row[sort], id: row.id }
}

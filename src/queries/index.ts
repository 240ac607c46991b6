export { PostgresError, type PostgresErrorCode } from '../store/postgres/connection/errors.js'
export type { PostgresQueryConnection } from '../store/postgres/query/query-connection.js'
export type { QueryDatabase, QueryStatement } from '../store/query-database.js'
export type { Database } from '../store/sqlite/connection/database.js'
export { DatabaseError, type DatabaseErrorCode } from '../store/sqlite/connection/errors.js'
export {
  type PriceAnswer,
  type PriceInForce,
  type PricesOptions,
  prices,
} from './costs/prices.js'
export { type UnpricedAnswer, type UnpricedCount, type UnpricedModel, unpriced } from './costs/unpriced.js'
export type { UnpricedReason } from './costs/unpriced-reason.js'
export { QueryError, type QueryErrorCode } from './errors.js'
export { type OpenDatabaseOptions, openDatabaseReadOnly } from './open-database.js'
export { type ExportedRequest, type ExportOptions, exportRequests } from './rows/export.js'
export type { JournalPlace } from './rows/full-row.js'
export { ArchivedLineError, type JournalLine } from './rows/journal-line.js'
export {
  type NewRequests,
  type NewRequestsOptions,
  newRequests,
  type TailPosition,
} from './rows/new-requests.js'
export { type RequestOrder, type RequestSort, START_CURSOR } from './rows/page-end.js'
export { listRejected, type RejectedEntry, type RejectedList } from './rows/rejected.js'
export {
  type GetRequestOptions,
  getRequest,
  getRequestsOf,
  type RequestDetail,
} from './rows/request-detail.js'
export type { DetailedEntry, RequestEntry } from './rows/request-entry.js'
export {
  type ListRequestsOptions,
  listRequests,
  type RequestCursorPage,
  type RequestPage,
} from './rows/requests.js'
export { type ListNamesOptions, listNames, type NameList } from './sums/names.js'
export { type Series, type SeriesBucket, type SeriesOptions, series } from './sums/series.js'
export { type Stats, type StatsOptions, type StatsSection, stats } from './sums/stats.js'
export type { SeriesBy, StatsGroupBy } from './sums/stats-groups.js'
export { CALENDAR_RANGES, type CalendarRange } from './window/calendar-ranges.js'
export { CURRENCIES, type Currency, type ShownCurrency } from './window/currency.js'
export type { RequestFilter } from './window/filter.js'
export { type RequestState, requestState, type StateRow } from './window/request-state.js'
export { type Edge, TimeZone } from './window/time-zone.js'
export { VALUE_FILTERS, type ValueFilters } from './window/value-filters.js'
export {
  type EchoedWindow,
  RANGES,
  rangeStart,
  resolveWindow,
  type Window,
  type WindowParameters,
} from './window/window.js'
export { instantOf, windowLength } from './window/window-words.js'

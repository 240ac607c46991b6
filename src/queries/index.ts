export { type Database, openDatabaseReadOnly } from '../storage/database.js'
export { DatabaseError, type DatabaseErrorCode } from '../storage/errors.js'
export { START_CURSOR } from './cursor.js'
export { QueryError, type QueryErrorCode } from './errors.js'
export { type ExportedRequest, type ExportOptions, exportRequests } from './export.js'
export type { RequestFilter } from './filter.js'
export type { JournalPlace } from './full-row.js'
export { ArchivedLineError, type JournalLine } from './journal-line.js'
export { type ListNamesOptions, listNames, type NameList } from './names.js'
export { type NewRequests, type NewRequestsOptions, newRequests } from './new-requests.js'
export { listRejected, type RejectedEntry, type RejectedList } from './rejected.js'
export {
  type GetRequestOptions,
  getRequest,
  getRequestsOf,
  type RequestDetail,
} from './request-detail.js'
export type { DetailedEntry, RequestEntry } from './request-entry.js'
export { type RequestState, requestState, type StateRow } from './request-state.js'
export {
  type ListRequestsOptions,
  listRequests,
  type RequestCursorPage,
  type RequestPage,
} from './requests.js'
export type { RequestOrder, RequestSort } from './row-slice.js'
export { type Series, type SeriesBucket, type SeriesOptions, series } from './series.js'
export { type Stats, type StatsOptions, type StatsSection, stats } from './stats.js'
export type { StatsGroupBy } from './stats-groups.js'
export {
  type EchoedWindow,
  RANGES,
  rangeStart,
  resolveWindow,
  type Window,
} from './window.js'
export { type Edge, instantOf, windowLength } from './window-words.js'

export type RequestSort = 'timestamp' | 'cost_sats' | 'latency_ms'
export type RequestOrder = 'asc' | 'desc'

/** Where a page ended: what it is sorted by, and the id. */
export interface PageEnd {
  /** Null: an unknown cost. */
  key: string | number | null
  id: number
}

/** Which rows of all that match. */
export interface RowSlice {
  sort: RequestSort
  order: RequestOrder
  /** Rows to leave out before. */
  offset: number
  limit: number
  /** Only what comes behind this one. */
  behind: PageEnd | null
}

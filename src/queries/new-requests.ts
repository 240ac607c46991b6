import type { Database } from '../storage/database.js'
import type { RequestFilter } from './filter.js'
import type { RequestEntry } from './request-entry.js'

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
  /** Streams that have not ended, the newest 1,000 of them. */
  open_ids: number[]
  /** More waits already: ask again at once. */
  has_more: boolean
}

/**
 * The requests that came behind an id, for live tails.
 *
 * @throws QueryError INVALID_SINCE, INVALID_UNTIL, MODEL_NOT_FOUND, PROVIDER_NOT_FOUND only for `afterId: null`: a tail
 *   that has begun goes on when the last request of a model was pruned
 */
export function newRequests(_database: Database, _options: NewRequestsOptions): NewRequests {
  throw new Error('on its way')
}

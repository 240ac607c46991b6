/**
 * What can be wrong with a question. The codes are stable; thrown when
 *
 * - `MODEL_NOT_FOUND`, `PROVIDER_NOT_FOUND`: no request has the name, at any time.
 * - `INVALID_SINCE`, `INVALID_UNTIL`, `INVALID_BEFORE`: not a strict RFC 3339 time; `INVALID_BEFORE` also for both ends at once.
 * - `INVALID_FILTER`: conditions that exclude each other.
 * - `INVALID_RANGE`, `INVALID_GROUP_BY`, `INVALID_SORT`, `INVALID_ORDER`, `INVALID_BUCKET`, `INVALID_BY`,
 *   `INVALID_DIMENSION`: none of the values that there are, which the message lists; `INVALID_BUCKET` also for more buckets than one answer may have.
 * - `TOO_MANY_GROUPS`: more groups than one answer may have; `limit` or a filter helps.
 * - `TIMED_OUT`: the `deadline` is over.
 * - `INVALID_CURSOR`: not a cursor of ours, or one that belongs to another sort or order.
 */
export const QUERY_ERROR_CODES = [
  'MODEL_NOT_FOUND',
  'PROVIDER_NOT_FOUND',
  'INVALID_SINCE',
  'INVALID_UNTIL',
  'INVALID_BEFORE',
  'INVALID_FILTER',
  'INVALID_RANGE',
  'INVALID_GROUP_BY',
  'INVALID_SORT',
  'INVALID_ORDER',
  'INVALID_BUCKET',
  'INVALID_BY',
  'INVALID_DIMENSION',
  'INVALID_CURSOR',
  'TOO_MANY_GROUPS',
  'TIMED_OUT',
] as const

export type QueryErrorCode = (typeof QUERY_ERROR_CODES)[number]

/** A question that can't be answered as it was asked. The message is for whoever asked, and quotes what they wrote. */
export class QueryError extends Error {
  override readonly name = 'QueryError'
  readonly code: QueryErrorCode

  constructor(code: QueryErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

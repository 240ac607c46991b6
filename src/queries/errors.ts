import { nearestName } from '../events/nearest-name.js'

/**
 * What can be wrong with a question. The codes are stable. They are thrown when
 *
 * - `MODEL_NOT_FOUND`, `PROVIDER_NOT_FOUND`: no counted request has this name.
 * - `JOURNAL_NOT_FOUND`: the database has no journal with this id or host.
 * - `INVALID_SINCE`, `INVALID_UNTIL`, `INVALID_BEFORE`: the text isn't a strict RFC 3339 time;
 *   `INVALID_BEFORE` also when `until` is given too.
 * - `INVALID_FILTER`: two conditions exclude each other, or a filter doesn't take the value.
 * - `INVALID_RANGE`, `INVALID_GROUP_BY`, `INVALID_SORT`, `INVALID_ORDER`, `INVALID_BUCKET`,
 *   `INVALID_BY`, `INVALID_DIMENSION`: the value isn't one of those that the message lists;
 *   `INVALID_BUCKET` also when an answer would have too many buckets.
 * - `INVALID_CURRENCY`: it is neither `sats` nor `usd`.
 * - `INVALID_TIMEZONE`: it isn't the name of a zone of the IANA database.
 * - `TOO_MANY_GROUPS`: the answer would have too many groups; `limit` or a filter helps.
 * - `TIMED_OUT`: the `deadline` has passed.
 * - `INVALID_CURSOR`: the text isn't a cursor, or belongs to another sort or order.
 */
export const QUERY_ERROR_CODES = [
  'MODEL_NOT_FOUND',
  'PROVIDER_NOT_FOUND',
  'JOURNAL_NOT_FOUND',
  'INVALID_SINCE',
  'INVALID_UNTIL',
  'INVALID_BEFORE',
  'INVALID_FILTER',
  'INVALID_CURRENCY',
  'INVALID_RANGE',
  'INVALID_TIMEZONE',
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

/**
 * A question that can't be answered as it was asked. The message is for the person who asked, and
 * quotes what they wrote.
 */
export class QueryError extends Error {
  override readonly name = 'QueryError'
  readonly code: QueryErrorCode

  constructor(code: QueryErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/**
 * How many groups an answer may have. With names of 1 KiB each, they fill about the largest answer
 * that a server sends.
 */
export const MAX_GROUPS = 20_000

export function tooManyGroups(): QueryError {
  const found = `over ${MAX_GROUPS.toLocaleString('en-US')} groups`
  return new QueryError('TOO_MANY_GROUPS', `${found}: ask with limit= or a filter`)
}

export function isTooManyGroups(error: unknown): boolean {
  return error instanceof QueryError && error.code === 'TOO_MANY_GROUPS'
}

/**
 * Returns the value if it is one of the options.
 *
 * @param what what the message calls the value: `sort field`.
 * @param asked the value as the message quotes it.
 * @throws QueryError with this code.
 */
export function oneOf<Option extends string>(
  options: readonly Option[],
  value: string,
  code: QueryErrorCode,
  what: string,
  asked: string = value,
): Option {
  const found = options.find((option) => option === value)
  if (found !== undefined) return found
  throw new QueryError(code, `Invalid ${what} '${asked}'. Valid options: ${options.join(', ')}`)
}

/**
 * Says what somebody probably meant who asked for a group that isn't known: a name that is like it,
 * or the label of this name. It follows a message.
 */
export function groupHint(asked: string, known: readonly string[]): string {
  if (asked === '' || asked.startsWith('label:')) return ''
  const nearest = nearestName(asked, known)
  const names = [...(nearest === null ? [] : [nearest]), `label:${asked}`]
  return `; did you mean ${names.map((name) => `'${name}'`).join(' or ')}?`
}

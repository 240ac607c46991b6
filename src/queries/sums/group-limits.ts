import { QueryError } from '../errors.js'

/** Groups of one answer at most: with names of 1 KiB each about as much as an answer may have. */
export const MAX_GROUPS = 20_000

/**
 * Sums that are held at once, of about 1 KiB each: some groups of a whole day are taken away again, and a series has each of
 * its names once for each bucket.
 */
export const MAX_TALLIES = 100_000

export function tooManyGroups(): QueryError {
  const found = `over ${MAX_GROUPS.toLocaleString('en-US')} groups`
  return new QueryError('TOO_MANY_GROUPS', `${found}: ask with limit= or a filter`)
}

export function isTooManyGroups(error: unknown): boolean {
  return error instanceof QueryError && error.code === 'TOO_MANY_GROUPS'
}

import { QueryError } from '../errors.js'
import type { PageEnd, RequestOrder, RequestSort } from '../window/row-slice.js'

/** The cursor of the first page. */
export const START_CURSOR = 'start'

/** A cursor belongs to its sort and order, but to no filter. */
export function encodeCursor(sort: RequestSort, order: RequestOrder, { key, id }: PageEnd): string {
  return Buffer.from(JSON.stringify([sort, order, key, id])).toString('base64url')
}

/**
 * Where the page before ended; null for {@link START_CURSOR}.
 *
 * @throws QueryError INVALID_CURSOR
 */
export function decodeCursor(cursor: string, sort: RequestSort, order: RequestOrder): PageEnd | null {
  if (cursor === START_CURSOR) return null
  const parts = parse(cursor)
  if (!Array.isArray(parts) || parts.length !== 4) throw invalid(`'${cursor}' isn't one`)
  const [ofSort, ofOrder, key, id] = parts
  if (ofSort !== sort || ofOrder !== order) throw invalid('it belongs to another sort or order')
  const isKey = sort === 'timestamp' ? typeof key === 'string' : key === null || typeof key === 'number'
  if (!isKey || !Number.isSafeInteger(id)) throw invalid(`'${cursor}' isn't one`)
  return { key, id }
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    // Whatever isn't JSON isn't a cursor either.
    return undefined
  }
}

function invalid(found: string): QueryError {
  const expected = `expected '${START_CURSOR}' or the next_cursor of the page before`
  return new QueryError('INVALID_CURSOR', `Invalid cursor: ${found}, ${expected}`)
}

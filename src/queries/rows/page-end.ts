import type { Condition, TextRange } from '../../store/condition.js'
import { QueryError } from '../errors.js'

export type RequestSort = 'timestamp' | 'cost_sats' | 'cost_usd' | 'latency_ms'
export type RequestOrder = 'asc' | 'desc'

/** The last row of a page: the value by which it is sorted, and its id. */
export interface PageEnd {
  /** Null stands for an unknown cost. */
  key: string | number | null
  id: number
}

/** The cursor of the first page. */
export const START_CURSOR = 'start'

/**
 * Encodes the end of a page as the cursor of the next page. A cursor is valid for one sort and
 * order, and with any filter.
 */
export function encodeCursor(sort: RequestSort, order: RequestOrder, { key, id }: PageEnd): string {
  return Buffer.from(JSON.stringify([sort, order, key, id])).toString('base64url')
}

/** Decodes where a page ended; null for {@link START_CURSOR}. @throws QueryError INVALID_CURSOR */
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
    // Text that isn't JSON isn't a cursor either.
    return undefined
  }
}

function invalid(found: string): QueryError {
  const expected = `expected '${START_CURSOR}' or the next_cursor of the previous page`
  return new QueryError('INVALID_CURSOR', `Invalid cursor: ${found}, ${expected}`)
}

/** A range of timestamps, with conditions on the ids of its rows. */
export interface Seek {
  range: TextRange
  ids: Condition[]
}

/**
 * Returns the rows of a range that come after the end of a page, in the order of timestamps and
 * ids, as seeks in the index of timestamps: first the rows with the same timestamp as that end,
 * then the rest. One condition on both columns would step over all rows with that timestamp. There
 * may be millions of them, because all lines without a timestamp get the same one for their day.
 */
export function seeksAfter(range: TextRange, order: RequestOrder, end: PageEnd | null): Seek[] {
  const key = end?.key
  if (end === null || typeof key !== 'string') return [{ range, ids: [] }]
  const { from, after, to, before } = range
  const isPastStart = (from === undefined || key >= from) && (after === undefined || key > after)
  const isBeforeEnd = (to === undefined || key <= to) && (before === undefined || key < before)
  const ties: Seek = {
    range: { from: key, to: key },
    ids: [{ sql: order === 'asc' ? 'id > ?' : 'id < ?', values: [end.id] }],
  }
  const isReached = order === 'asc' ? isPastStart : isBeforeEnd
  const rest = order === 'asc' ? { after: key, to, before } : { from, after, before: key }
  return [...(isPastStart && isBeforeEnd ? [ties] : []), { range: isReached ? rest : range, ids: [] }]
}

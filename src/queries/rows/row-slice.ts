import { all, type Condition, type TextRange } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { countAddedRows } from '../window/added-rows.js'
import {
  dimensionConditions,
  isOfDimensions,
  journalFilterConditions,
  type RequestFilter,
  rowCondition,
  timestampColumn,
  windowRange,
} from '../window/filter.js'
import { type FullRow, fullColumns } from './full-row.js'
import { matchingStretches } from './matching-stretches.js'
import { type PageEnd, type RequestOrder, type RequestSort, seeksAfter } from './page-end.js'

/** Which of the matching rows are wanted. */
export interface RowSlice {
  sort: RequestSort
  order: RequestOrder
  /** How many rows to leave out at the beginning. */
  offset: number
  limit: number
  /** Only rows after this one; null: from the first row on. */
  after: PageEnd | null
}

/** Up to this offset, stepping over rows is quicker than looking in the roll-ups. */
const NEAR_OFFSET = 1000

/**
 * Reads the slice, in order; ties are broken by id in the same direction. To be called in a
 * transaction.
 */
export function readSlice(database: QueryDatabase, filter: RequestFilter, slice: RowSlice): FullRow[] {
  if (slice.sort !== 'timestamp') return readSorted(database, filter, slice)
  const hasStretches =
    isScattered(database, filter, slice) && isOfDimensions(database, filter) && countAddedRows(database) === 0
  return hasStretches
    ? readStretches(database, filter, slice)
    : readRange(database, filter, slice, windowRange(filter))
}

/** Whether many other rows would have to be read to find those of a slice. */
function isScattered(database: QueryDatabase, filter: RequestFilter, slice: RowSlice): boolean {
  const { success, streaming } = filter
  const isFiltered =
    success !== undefined ||
    streaming !== undefined ||
    journalFilterConditions(database, filter).length > 0 ||
    dimensionConditions(database, filter).length > 0
  return isFiltered || slice.offset > NEAR_OFFSET
}

/** Reads only the stretches in which, according to the roll-ups, rows match and aren't left out. */
function readStretches(database: QueryDatabase, filter: RequestFilter, slice: RowSlice): FullRow[] {
  const rows: FullRow[] = []
  for (const { range, skip } of matchingStretches(database, filter, slice)) {
    const limit = slice.limit - rows.length
    rows.push(...readRange(database, filter, { ...slice, limit, offset: skip }, range))
    if (rows.length === slice.limit) break
  }
  return rows
}

function readRange(
  database: QueryDatabase,
  filter: RequestFilter,
  slice: RowSlice,
  range: TextRange,
): FullRow[] {
  const { order, after, limit, offset } = slice
  const column = timestampColumn(database, filter)
  const rows: FullRow[] = []
  for (const seek of seeksAfter(range, order, after)) {
    const { sql, values } = all([rowCondition(database, filter, seek.range), ...seek.ids])
    const statement = database.prepare<unknown[], FullRow>(
      `SELECT ${fullColumns(database)} FROM requests WHERE ${sql}
       ORDER BY ${column} ${order}, id ${order} LIMIT ? OFFSET ?`,
    )
    rows.push(...statement.all(...values, limit - rows.length, offset))
    if (rows.length === limit) break
  }
  return rows
}

/** Sorts by a column without an index: every matching row is read, but only ids are sorted. */
function readSorted(database: QueryDatabase, filter: RequestFilter, slice: RowSlice): FullRow[] {
  const { sort, order, after, limit, offset } = slice
  const { least, rowKey } = dialectOf(database)
  // Unknown costs are sorted as the least value.
  const key = `coalesce(${sort}, ${least})`
  const { sql, values } = all([rowCondition(database, filter), ...isAfter(key, order, after)])
  return database
    .prepare<unknown[], FullRow>(
      `SELECT ${fullColumns(database)} FROM requests
       WHERE (${rowKey}) IN (SELECT ${rowKey} FROM requests WHERE ${sql} ORDER BY ${key} ${order}, id ${order} LIMIT ? OFFSET ?)
       ORDER BY ${key} ${order}, id ${order}`,
    )
    .all(...values, limit, offset)
}

function isAfter(key: string, order: RequestOrder, end: PageEnd | null): Condition[] {
  if (end === null) return []
  const sql = `(${key}, id) ${order === 'asc' ? '>' : '<'} (?, ?)`
  return [{ sql, values: [end.key ?? Number.NEGATIVE_INFINITY, end.id] }]
}

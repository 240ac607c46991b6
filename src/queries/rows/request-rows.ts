import type { Database } from '../../store/sqlite/connection/database.js'
import { matchingStretches } from '../sums/matching-stretches.js'
import { partsBehind } from '../sums/parts-behind.js'
import { countAddedRows } from '../window/added-rows.js'
import { all, type Condition, type TextRange } from '../window/condition.js'
import {
  dimensionConditions,
  isOfDimensions,
  type RequestFilter,
  rowCondition,
  timestampColumn,
  windowRange,
} from '../window/filter.js'
import type { PageEnd, RequestOrder, RowSlice } from '../window/row-slice.js'
import { FULL_COLUMNS, type FullRow } from './full-row.js'

/** A number that is smaller than any cost, for those that are unknown. */
const LEAST = '-9e999'

/** Up to here SQLite steps over rows faster than the roll-ups tell where to begin. */
const NEAR_OFFSET = 1000

/** Rows that match, in order, ties by id in the same direction. To be called in a transaction. */
export function readSlice(database: Database, filter: RequestFilter, slice: RowSlice): FullRow[] {
  if (slice.sort !== 'timestamp') return readSorted(database, filter, slice)
  const hasStretches =
    isScattered(filter, slice) && isOfDimensions(database, filter) && countAddedRows(database) === 0
  return hasStretches
    ? readStretches(database, filter, slice)
    : readRange(database, filter, slice, windowRange(filter))
}

/** Whether many rows would have to be read for the few of a slice. */
function isScattered(filter: RequestFilter, slice: RowSlice): boolean {
  const { success, streaming } = filter
  const isFiltered =
    success !== undefined || streaming !== undefined || dimensionConditions(filter).length > 0
  return isFiltered || slice.offset > NEAR_OFFSET
}

/** By time: only the stretches that have matching rows, as the roll-ups say, and behind those to be left out. */
function readStretches(database: Database, filter: RequestFilter, slice: RowSlice): FullRow[] {
  const rows: FullRow[] = []
  for (const { range, skip } of matchingStretches(database, filter, slice)) {
    const limit = slice.limit - rows.length
    rows.push(...readRange(database, filter, { ...slice, limit, offset: skip }, range))
    if (rows.length === slice.limit) break
  }
  return rows
}

function readRange(database: Database, filter: RequestFilter, slice: RowSlice, range: TextRange): FullRow[] {
  const { order, behind, limit, offset } = slice
  const column = timestampColumn(filter)
  const rows: FullRow[] = []
  for (const part of partsBehind(range, order, behind)) {
    const { sql, values } = all([rowCondition(filter, part.range), ...part.ids])
    const statement = database.prepare<unknown[], FullRow>(
      `SELECT ${FULL_COLUMNS} FROM requests WHERE ${sql}
       ORDER BY ${column} ${order}, id ${order} LIMIT ? OFFSET ?`,
    )
    rows.push(...statement.all(...values, limit - rows.length, offset))
    if (rows.length === limit) break
  }
  return rows
}

/** By a column without an index: every row that matches is looked at, but only ids are sorted. */
function readSorted(database: Database, filter: RequestFilter, slice: RowSlice): FullRow[] {
  const { sort, order, behind, limit, offset } = slice
  const key = `coalesce(${sort}, ${LEAST})`
  const { sql, values } = all([rowCondition(filter), behindKey(key, order, behind)])
  return database
    .prepare<unknown[], FullRow>(
      `SELECT ${FULL_COLUMNS} FROM requests
       WHERE id IN (SELECT id FROM requests WHERE ${sql} ORDER BY ${key} ${order}, id ${order} LIMIT ? OFFSET ?)
       ORDER BY ${key} ${order}, id ${order}`,
    )
    .all(...values, limit, offset)
}

function behindKey(key: string, order: RequestOrder, behind: PageEnd | null): Condition {
  if (behind === null) return all([])
  const sql = `(${key}, id) ${order === 'asc' ? '>' : '<'} (?, ?)`
  return { sql, values: [behind.key ?? Number.NEGATIVE_INFINITY, behind.id] }
}

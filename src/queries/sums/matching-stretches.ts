import type { Database } from '../../store/sqlite/connection/database.js'
import { all, inRange, type TextRange } from '../window/condition.js'
import { type RequestFilter, rollupCondition, rowCondition, windowRange } from '../window/filter.js'
import type { RequestOrder, RowSlice } from '../window/row-slice.js'
import { narrow, PERIOD_LENGTH, startingWith } from '../window/terms.js'
import { rollupSums, SUMS_WITHOUT_UNKNOWNS, Tally } from './tally.js'

/** A range of timestamps in which rows match. */
export interface Stretch {
  range: TextRange
  /** Matching rows at its beginning, in the order asked for, that belong to those to be left out. */
  skip: number
}

/** A day or an hour with its matching rows. */
interface MatchingPeriod {
  range: TextRange
  /** Those outside the window included. */
  requests: number
  /** The window begins or ends in it. */
  isCut: boolean
}

/**
 * Where a slice's rows are, in its order: hour by hour, those without a matching row left out, and those whose rows
 * are to be left out passed over, by what the roll-ups say. A page far behind, or one of a rare model, then costs no
 * more than a near one.
 *
 * @param filter of dimensions that the roll-ups have, success and streaming.
 */
export function* matchingStretches(
  database: Database,
  filter: RequestFilter,
  slice: Pick<RowSlice, 'order' | 'offset' | 'behind'>,
): Generator<Stretch, void, undefined> {
  const { order } = slice
  let skip = slice.offset
  for (const day of matchingPeriods(database, filter, 'day', rangeBehind(filter, slice), order)) {
    if (!day.isCut && skip >= day.requests) {
      skip -= day.requests
      continue
    }
    for (const hour of matchingPeriods(database, filter, 'hour', day.range, order)) {
      const requests = skip > 0 && hour.isCut ? countRows(database, filter, hour.range) : hour.requests
      if (skip >= requests) {
        skip -= requests
        continue
      }
      yield { range: hour.range, skip }
      skip = 0
    }
  }
}

/** The window from where the page before ended. */
function rangeBehind(
  filter: RequestFilter,
  { order, behind }: Pick<RowSlice, 'order' | 'behind'>,
): TextRange {
  const range = windowRange(filter)
  if (typeof behind?.key !== 'string') return range
  return narrow(range, order === 'asc' ? { from: behind.key } : { to: behind.key })
}

function* matchingPeriods(
  database: Database,
  filter: RequestFilter,
  grain: 'day' | 'hour',
  range: TextRange,
  order: RequestOrder,
): Generator<MatchingPeriod, void, undefined> {
  const length = PERIOD_LENGTH[grain]
  const first = range.from?.slice(0, length)
  const last = (range.to ?? range.before)?.slice(0, length)
  const { sql, values } = all([
    { sql: 'grain = ?', values: [grain] },
    inRange('period', { from: first, to: last }),
    rollupCondition(filter),
  ])
  const rows = database
    .prepare(
      `SELECT period, ${rollupSums(SUMS_WITHOUT_UNKNOWNS)} FROM rollups WHERE ${sql} GROUP BY period ORDER BY period ${order}`,
    )
    .raw()
    .safeIntegers()
    .iterate(...values) as IterableIterator<[string, ...bigint[]]>
  for (const [period, ...sums] of rows) {
    const tally = new Tally()
    tally.add(SUMS_WITHOUT_UNKNOWNS, sums, 1)
    const requests = tally.requestsThat(filter.success, filter.streaming)
    if (requests === 0) continue
    // A shorter one is all that a row from before the journal has as its timestamp.
    const whole = period.length === length ? startingWith(period) : { from: period, to: period }
    const start = period === first ? { from: range.from } : {}
    const end = period === last ? { to: range.to, before: range.before } : {}
    yield { range: narrow(whole, { ...start, ...end }), requests, isCut: period === first || period === last }
  }
}

function countRows(database: Database, filter: RequestFilter, range: TextRange): number {
  const { sql, values } = rowCondition(filter, range)
  const statement = database.prepare<unknown[], { requests: number }>(
    `SELECT count(*) AS requests FROM requests WHERE ${sql}`,
  )
  return statement.get(...values)?.requests ?? 0
}

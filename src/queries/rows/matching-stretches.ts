import type { TextRange } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { rollupsOf } from '../sums/parts.js'
import { rollupSums, Tally } from '../sums/tally.js'
import { countRows, type RequestFilter, rowCondition, windowRange } from '../window/filter.js'
import { narrow, PERIOD_LENGTH, startingWith } from '../window/terms.js'
import type { PageEnd, RequestOrder } from './page-end.js'

/**
 * The sums from which the number of matching requests follows. They are few, because PostgreSQL
 * adds up all periods before it returns the first.
 */
const COUNTED = ['requests', 'failures', 'streams', 'failed_streams'] as const

/** A range of timestamps in which rows match. */
export interface Stretch {
  range: TextRange
  /** How many matching rows to leave out at the beginning, in the order asked for. */
  skip: number
}

/** A day or an hour with its matching rows. */
interface MatchingPeriod {
  range: TextRange
  /** How many rows of the whole period match, including those outside the window. */
  requests: number
  /** Whether the window begins or ends in this period. */
  isCut: boolean
}

/**
 * Finds the hours with the rows of a slice, in its order. With the roll-ups, it skips hours without
 * a matching row, and hours whose rows are all left out. So the thousandth page, or a page of a
 * rare model, costs no more than the first page.
 *
 * @param filter may be about success, streaming, and dimensions that the roll-ups have.
 */
export function* matchingStretches(
  database: QueryDatabase,
  filter: RequestFilter,
  { order, offset, after }: { order: RequestOrder; offset: number; after: PageEnd | null },
): Generator<Stretch, void, undefined> {
  let skip = offset
  for (const day of matchingPeriods(database, filter, 'day', rangeAfter(filter, order, after), order)) {
    if (!day.isCut && skip >= day.requests) {
      skip -= day.requests
      continue
    }
    for (const hour of matchingPeriods(database, filter, 'hour', day.range, order)) {
      const requests =
        skip > 0 && hour.isCut
          ? countRows(database, rowCondition(database, filter, hour.range))
          : hour.requests
      if (skip >= requests) {
        skip -= requests
        continue
      }
      yield { range: hour.range, skip }
      skip = 0
    }
  }
}

/** Returns the part of the window that begins where the previous page ended. */
function rangeAfter(filter: RequestFilter, order: RequestOrder, end: PageEnd | null): TextRange {
  const range = windowRange(filter)
  if (typeof end?.key !== 'string') return range
  return narrow(range, order === 'asc' ? { from: end.key } : { to: end.key })
}

function* matchingPeriods(
  database: QueryDatabase,
  filter: RequestFilter,
  grain: 'day' | 'hour',
  range: TextRange,
  order: RequestOrder,
): Generator<MatchingPeriod, void, undefined> {
  const length = PERIOD_LENGTH[grain]
  const first = range.from?.slice(0, length)
  const last = (range.to ?? range.before)?.slice(0, length)
  const { from, condition } = rollupsOf(database, filter, grain, { from: first, to: last })
  const rows = database
    .prepare(
      `SELECT period, ${rollupSums(dialectOf(database), COUNTED)} FROM ${from} WHERE ${condition.sql} GROUP BY period ORDER BY period ${order}`,
    )
    .raw()
    .safeIntegers()
    .iterate(...condition.values) as IterableIterator<[string, ...bigint[]]>
  for (const [period, ...sums] of rows) {
    const tally = new Tally()
    tally.add(COUNTED, sums, 1)
    const requests = tally.requestsThat(filter.success, filter.streaming)
    if (requests === 0) continue
    // A shorter period is the whole timestamp of a row older than the journal.
    const whole = period.length === length ? startingWith(period) : { from: period, to: period }
    const start = period === first ? { from: range.from } : {}
    const end = period === last ? { to: range.to, before: range.before } : {}
    yield { range: narrow(whole, { ...start, ...end }), requests, isCut: period === first || period === last }
  }
}

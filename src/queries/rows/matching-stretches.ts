import { dialectOf, type QueryDatabase } from '../../store/query-database.js'
import { rollupsOf } from '../sums/parts.js'
import { rollupSums, Tally } from '../sums/tally.js'
import { countRows, type TextRange } from '../window/condition.js'
import { type RequestFilter, rowCondition, windowRange } from '../window/filter.js'
import { narrow, PERIOD_LENGTH, startingWith } from '../window/terms.js'
import type { PageEnd, RequestOrder } from './page-end.js'

/** The sums that tell how many requests match: PostgreSQL adds up all periods before the first is read. */
const COUNTED = ['requests', 'failures', 'streams', 'failed_streams'] as const

/** A range of timestamps in which rows match. */
export interface Stretch {
  range: TextRange
  /** How many matching rows at its beginning, in the order asked for, are left out. */
  skip: number
}

/** A day or an hour with its matching rows. */
interface MatchingPeriod {
  range: TextRange
  /** How many rows match, those of the period that lie outside the window included. */
  requests: number
  /** Whether the window begins or ends in this period. */
  isCut: boolean
}

/**
 * Finds where a slice's rows are, hour by hour in its order. By what the roll-ups say, it passes
 * over hours without a matching row, and over those whose rows are all left out. So the thousandth
 * page, and one of a rare model, cost no more than the first one.
 *
 * @param filter about success, streaming, and dimensions that the roll-ups have.
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

/** The window from the end of the page before on. */
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
    // A shorter period is the whole timestamp of a row from before the journal.
    const whole = period.length === length ? startingWith(period) : { from: period, to: period }
    const start = period === first ? { from: range.from } : {}
    const end = period === last ? { to: range.to, before: range.before } : {}
    yield { range: narrow(whole, { ...start, ...end }), requests, isCut: period === first || period === last }
  }
}

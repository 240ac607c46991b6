import type { QueryDatabase } from '../../../store/query-database.js'
import { countText } from '../../count-text.js'
import { atLeast, type Finding, NEWEST_ROWS, note, ok } from '../check.js'

/** How many months from this one on should have a partition already. */
const MONTHS_AHEAD = 2

/**
 * Whether the coming months have partitions, and all rows are in the partitions of their months.
 */
export function checkPartitions(database: QueryDatabase, now: number): Finding {
  const names = database
    .prepare<[], string>(
      `SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
       WHERE inhparent = 'requests'::regclass AND relname LIKE 'requests\\_____\\___' ORDER BY relname`,
    )
    .pluck()
    .all()
  const advice =
    'Run `request-journal migrate` as the owner: it makes partitions ahead, and moves rows into theirs'
  // Rows of months outside these years are there rightly: they get no partition.
  const outside = database
    .prepare<[], number>(
      `SELECT count(*) FROM (SELECT 1 FROM requests_other
         WHERE timestamp >= '2020-01-01Z' AND timestamp < '2100-01-01Z' LIMIT ${NEWEST_ROWS}) AS outside`,
    )
    .pluck()
    .get() as number
  if (outside > 0) {
    const found = `${atLeast(outside)}${countText(outside, 'row')} outside the partitions of their months`
    return note(found, advice)
  }
  const ahead = monthsFrom(now, MONTHS_AHEAD).filter((name) => names.includes(name)).length
  const last = names.at(-1)?.slice('requests_'.length).replace('_', '-') ?? 'none'
  const found = `${countText(names.length, 'month')}, the last is ${last}`
  return ahead === MONTHS_AHEAD
    ? ok(found)
    : note(`${found}: the projectors have to make the next ones`, advice)
}

/** The names of the partitions of a month and those after it. */
function monthsFrom(now: number, count: number): string[] {
  const date = new Date(now)
  return Array.from({ length: count }, (_, n) => {
    const month = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + n))
    return `requests_${month.toISOString().slice(0, 7).replace('-', '_')}`
  })
}

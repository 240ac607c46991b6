import type { TimeRange } from '../../folds/costs/price.js'
import { all } from '../../store/condition.js'
import { dialectOf, type QueryDatabase } from '../../store/query-database.js'

/** Counting stops here: a caller that asks once a second must not read millions of rows. */
const MAX_COUNTED = 100_000

export interface RowsToRepriceOptions {
  /** Only rows with these timestamps. @default all rows */
  range?: TimeRange | undefined
  /** Only rows of the journal with this number. @default those of all journals */
  journal?: number | undefined
}

/** Counts the rows that are left to be repriced, up to 100,000 of them. */
export function countRowsToReprice(
  database: QueryDatabase,
  { range, journal }: RowsToRepriceOptions = {},
): number {
  const dialect = dialectOf(database)
  const pending = all(journal === undefined ? [] : dialect.isInJournal(journal))
  const { sql, values } = all([
    { sql: dialect.isSameJournal('p', 'r'), values: [] },
    dialect.timestampIn('r.timestamp', { from: range?.from, before: range?.until }),
  ])
  // CROSS JOIN makes SQLite begin with the pending repricings: there is hardly ever more than one.
  const statement = database.prepare<unknown[], number>(
    `SELECT count(*) FROM (
       SELECT 1 FROM (SELECT * FROM repricing WHERE ${pending.sql}) p CROSS JOIN requests r
       WHERE (r.timestamp, r.id) > (p.cursor_timestamp, p.cursor_id) AND r.timestamp >= p.cursor_timestamp
         AND r.timestamp < p.until_timestamp AND r.id <= p.through_id
         AND (r.segment_id IS NOT NULL OR r.completed_segment_id IS NOT NULL) AND ${sql}
       LIMIT ${MAX_COUNTED}) rows_left`,
  )
  return statement.pluck().get(...pending.values, ...values) ?? 0
}

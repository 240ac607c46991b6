import type { TimeRange } from '../../folds/costs/price-book.js'
import { joinRanges } from '../../folds/costs/repricing.js'
import type { Database } from './connection/database.js'
import { pageOf } from './request-queries.js'
import { STORED_COLUMNS, type StoredRow } from './stored-row.js'

/** A repricing that is pending. The first one is at work. */
export interface RepricingRow {
  id: number
  /** Rows with a timestamp from this one on, and before the next one. */
  from_timestamp: string
  until_timestamp: string
  /** The last row that was repriced, in the order of (timestamp, id). */
  cursor_timestamp: string
  cursor_id: number
  /** Rows with greater ids had all prices when they came. */
  through_id: number
  /** Whether the rows are from before costs were computed. */
  is_first: number
}

export function readRepricings(database: Database): RepricingRow[] {
  return database.prepare<[], RepricingRow>('SELECT * FROM repricing ORDER BY id').all()
}

/**
 * Adds timestamps to what is pending. Rows that were repriced already are repriced again if they
 * are among them.
 *
 * @param throughId the last row that may not have all prices.
 */
export function addToRepricing(database: Database, range: TimeRange, throughId: number): void {
  const last = readRepricings(database).at(-1)
  // The first repricing of an old database counts each row once.
  const pending = last === undefined || last.is_first !== 0 ? null : last
  const left = pending && { from: pending.cursor_timestamp, until: pending.until_timestamp }
  const { from, until } = joinRanges(range, left) ?? range
  const goesOn = pending !== null && from === pending.cursor_timestamp
  database
    .prepare('INSERT OR REPLACE INTO repricing VALUES (?, ?, ?, ?, ?, ?, FALSE)')
    .run(
      pending?.id ?? null,
      from,
      until,
      from,
      goesOn ? pending.cursor_id : Number.MIN_SAFE_INTEGER,
      Math.max(throughId, pending?.through_id ?? 0),
    )
}

/**
 * SQL for the rows that are left to be repriced. Its placeholders are the cursor's timestamp and
 * id, the end, and the last id.
 */
const LEFT_SQL = `FROM requests WHERE (timestamp, id) > (?, ?) AND timestamp < ? AND id <= ?
  AND (segment_id IS NOT NULL OR completed_segment_id IS NOT NULL)`

/** Works off the repricing that is at work. */
export class RepricingStatements {
  readonly #statements: ReturnType<typeof prepareStatements>

  constructor(database: Database) {
    this.#statements = prepareStatements(database)
  }

  current(): RepricingRow | null {
    return this.#statements.current.get() ?? null
  }

  /**
   * Reads the next rows to reprice, and moves the cursor past them. Ends the repricing when none is
   * left.
   */
  takeRows(
    { id, cursor_timestamp, cursor_id, until_timestamp, through_id }: RepricingRow,
    maxRows: number,
  ): StoredRow[] {
    const { left, moveCursor, end } = this.#statements
    const rows = pageOf(left.iterate(cursor_timestamp, cursor_id, until_timestamp, through_id, maxRows))
    const last = rows.at(-1)
    if (last === undefined) end.run(id)
    else {
      const [lastId, , timestamp] = last
      moveCursor.run(timestamp, lastId, id)
    }
    return rows
  }
}

function prepareStatements(database: Database) {
  return {
    current: database.prepare<[], RepricingRow>('SELECT * FROM repricing ORDER BY id LIMIT 1'),
    left: database
      .prepare<[string, number, string, number, number], StoredRow>(
        `SELECT ${STORED_COLUMNS} ${LEFT_SQL} ORDER BY timestamp, id LIMIT ?`,
      )
      .raw(),
    moveCursor: database.prepare('UPDATE repricing SET cursor_timestamp = ?, cursor_id = ? WHERE id = ?'),
    end: database.prepare('DELETE FROM repricing WHERE id = ?'),
  }
}

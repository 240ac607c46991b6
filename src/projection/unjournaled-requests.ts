import { countedRequest } from '../folds/counted-request.js'
import type { RollupChanges } from '../folds/rollups.js'
import type { Database } from '../store/sqlite/connection/database.js'
import { STORED_COLUMNS, type StoredRequest } from '../store/sqlite/projection-tables.js'
import { pageOf } from '../store/sqlite/row-page.js'

const PAGE_ROWS = 1000

/** Counts the requests that other programs have added since the last time, in the caller's transaction. */
export class UnjournaledRequests {
  readonly #statements: ReturnType<typeof prepareStatements>

  constructor(database: Database) {
    this.#statements = prepareStatements(database)
  }

  count(changes: RollupChanges): void {
    const { counted, next, setCounted } = this.#statements
    const before = counted.get()?.last_id ?? 0
    let last = before
    for (;;) {
      const rows = pageOf(next.iterate(last))
      if (rows.length === 0) break
      for (const row of rows) changes.add(countedRequest(row), true)
      last = rows.at(-1)?.id ?? last
    }
    if (last !== before) setCounted.run(last)
  }

  /** After the roll-ups were emptied; the counters have these requests. */
  countAgain(changes: RollupChanges): void {
    const { counted, upTo } = this.#statements
    const through = counted.get()?.last_id ?? 0
    let last = Number.MIN_SAFE_INTEGER
    for (;;) {
      const rows = pageOf(upTo.iterate(last, through))
      if (rows.length === 0) break
      for (const row of rows) changes.add(countedRequest(row), false)
      last = rows.at(-1)?.id ?? last
    }
  }
}

function prepareStatements(database: Database) {
  const rows = `SELECT ${STORED_COLUMNS} FROM requests WHERE segment_id IS NULL`
  return {
    counted: database.prepare<[], { last_id: number }>('SELECT last_id FROM rollup_unjournaled'),
    setCounted: database.prepare('UPDATE rollup_unjournaled SET last_id = ?'),
    next: database.prepare<[number], StoredRequest>(`${rows} AND id > ? ORDER BY id LIMIT ${PAGE_ROWS}`),
    upTo: database.prepare<[number, number], StoredRequest>(
      `${rows} AND id > ? AND id <= ? ORDER BY id LIMIT ${PAGE_ROWS}`,
    ),
  }
}

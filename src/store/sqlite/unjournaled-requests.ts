import type { StoredRequest } from '../../folds/request.js'
import type { Database } from './connection/database.js'
import { pageOf } from './row-page.js'
import { countedThrough, type RequestColumns, STORED_COLUMNS, storedRequestOf } from './stored-requests.js'

const PAGE_ROWS = 1000

/** Reads the requests from before the journal, those that the sums have; a page at a time. */
export function* unjournaledRequests(database: Database): Generator<StoredRequest[]> {
  const through = countedThrough(database)
  const statement = database.prepare<[number, number], RequestColumns>(
    `SELECT ${STORED_COLUMNS} FROM requests WHERE segment_id IS NULL AND id > ? AND id <= ?
     ORDER BY id LIMIT ${PAGE_ROWS}`,
  )
  let last = Number.MIN_SAFE_INTEGER
  for (;;) {
    const rows = pageOf(statement.iterate(last, through))
    const lastRow = rows.at(-1)
    if (lastRow === undefined) return
    yield rows.map((row) => storedRequestOf(row, through))
    last = lastRow.id
  }
}

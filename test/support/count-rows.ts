import { RollupSums } from '../../src/folds/sums/rollups.js'
import type { Database } from '../../src/store/sqlite/connection/database.js'
import { rollupLabels } from '../../src/store/sqlite/rollups/rollup-labels.js'
import { SqliteStatements, writeSums } from '../../src/store/sqlite/sqlite-transaction.js'
import { STORED_COLUMNS, type StoredRow, storedRequestOf } from '../../src/store/sqlite/stored-row.js'

/** Counts the rows that aren't from a journal and were added since the last call, as if they had been there before it. */
export function countRows(database: Database): void {
  const labels = rollupLabels(database)
  const rollups = new RollupSums(labels)
  const rows = database
    .prepare<[], StoredRow>(
      `SELECT ${STORED_COLUMNS} FROM requests
       WHERE segment_id IS NULL AND id > (SELECT last_id FROM rollup_unjournaled) ORDER BY id`,
    )
    .raw()
    .all()
  for (const row of rows) {
    const request = storedRequestOf(row, 0)
    rollups.add(request, request, true)
  }
  writeSums(new SqliteStatements(database), { ratios: [], rollups: rollups.take() }, labels)
  database.exec('UPDATE rollup_unjournaled SET last_id = (SELECT coalesce(max(id), 0) FROM requests)')
}

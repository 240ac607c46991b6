import { RequestsFold } from '../folds/requests.js'
import { BulkTables, nextIds } from '../store/sqlite/bulk-tables.js'
import type { Database } from '../store/sqlite/connection/database.js'
import type { SegmentPosition } from '../store/sqlite/positions.js'
import { BulkRequests } from './bulk-requests.js'
import { type ProjectionStores, ProjectionTransaction } from './transaction.js'

/**
 * Bytes of lines in one transaction, so that a batch grows with the backlog up to about 100,000 rows. Measured: with
 * random UUIDs and the two indexes 3,000 rows a transaction fall to 29,000 rows a second as the table grows to 3
 * million, 100,000 rows keep 82,000.
 */
const MAX_BATCH_BYTES = 36 * 1024 * 1024

/** Bytes of lines in one: about 2.6 million rows, whose WAL takes about as many bytes. */
const MAX_BULK_BYTES = 1024 * 1024 * 1024

/**
 * The share that the new rows must be of those that are there. Measured: making the index of random UUIDs anew takes
 * 0.9 µs for each row of the table, keeping it up to date 4 to 8 µs for each new one.
 */
const MIN_SHARE = 1 / 4

/** What a line takes where nothing is known. */
const USUAL_LINE_BYTES = 400

/** For lines as they come: indexes are kept up to date. */
export function usualTransaction(stores: ProjectionStores): ProjectionTransaction {
  return new ProjectionTransaction({
    ...stores,
    maxBytes: MAX_BATCH_BYTES,
    isBulk: false,
    isNew: () => true,
    startFold: (target) => new RequestsFold(target),
  })
}

/** For very many lines: see `isWorthBulk`. */
export function bulkTransaction(stores: ProjectionStores): ProjectionTransaction {
  const { database } = stores
  return new ProjectionTransaction({
    ...stores,
    maxBytes: MAX_BULK_BYTES,
    isBulk: true,
    isNew: () => true,
    startFold: (target) => {
      const bulkTables = new BulkTables(database)
      bulkTables.dropRandomIndex()
      bulkTables.deferHeldCompletions()
      return new BulkRequests({ database, target, bulkTables, ids: nextIds(database) })
    },
  })
}

/**
 * Whether lines that wait are so many that an index is cheaper made anew than kept.
 *
 * @param bytes of the lines that wait.
 */
export function isWorthBulk(
  database: Database,
  bytes: number,
  positions: Iterable<SegmentPosition>,
): boolean {
  if (bytes <= 0) return false
  let [projectedBytes, lines] = [0, 0]
  for (const position of positions) {
    projectedBytes += position.projectedBytes
    lines += position.counts.lines
  }
  const lineBytes = lines === 0 ? USUAL_LINE_BYTES : projectedBytes / lines
  const newRows = Math.min(bytes, MAX_BULK_BYTES) / lineBytes
  const rows =
    database.prepare<[], { id: number | null }>('SELECT max(id) AS id FROM requests').get()?.id ?? 0
  return newRows >= rows * MIN_SHARE
}

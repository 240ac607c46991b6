import { realpathSync, statSync } from 'node:fs'
import { JournalError } from '../../journal/errors.js'
import { databaseBytes, journalCounts, sharedJournals } from '../../maintenance/other-journals.js'
import { type StatusReport, status } from '../../maintenance/status.js'
import { VERSION } from '../../package/package-files.js'
import { readCounters } from '../../queries/sums/counters.js'
import { ProjectionError } from '../../store/errors.js'
import { addCounts, emptyCounts } from '../../store/positions.js'
import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { countHeldCompletions } from '../../store/sqlite/completion-rows.js'
import type { Database } from '../../store/sqlite/connection/database.js'
import { DatabaseError } from '../../store/sqlite/connection/errors.js'
import { isLocked } from '../../store/sqlite/connection/lock.js'
import { readPositions } from '../../store/sqlite/segment-queries.js'
import { isRetired } from '../health/fleet-health.js'
import type { QueryProcessData } from '../pool/query-task.js'
import type { FileFigures, MetricsInput, ProjectedCounts, SharedFigures } from './render-metrics.js'

/** The `database` must be the one that the connection has open. */
export interface MetricsOptions extends QueryProcessData {
  /**
   * How many combinations of model, provider and policy have a series of their own: those that were
   * seen first. If the limit is changed, the sums of `other` begin anew.
   *
   * @default 200
   */
  seriesLimit?: number | undefined
}

const SERIES_LIMIT = 200
/** The limit for a database that many journals share: each journal has series of its own. */
const SHARED_SERIES_LIMIT = 1000

/**
 * Reads what the page of metrics shows. Everything is read from the database and the files next to
 * it, so every process gives the same figures, and none begins at zero when a process starts.
 *
 * @throws DatabaseError if the database can't be read. A journal that can't be read is a figure,
 *   not an error.
 */
export async function collectMetrics(
  opened: QueryDatabase,
  { database, schema, journal, seriesLimit }: MetricsOptions,
): Promise<MetricsInput> {
  const isShared = isPostgresAddress(database)
  const limit = seriesLimit ?? (isShared ? SHARED_SERIES_LIMIT : SERIES_LIMIT)
  // One transaction, so that requests and positions belong to the same moment.
  const read = opened.transaction(() => ({
    requests: readCounters(opened, { limit }),
    projection: isShared ? readShared(opened, schema) : readFile(opened as Database, database),
  }))
  const { requests, projection } = read()
  const figures =
    projection.is === 'shared' ? {} : { journal: await readJournal(journal, realPath(database)) }
  return { version: VERSION, requests, projection: { ...projection, ...figures } }
}

function readShared(opened: QueryDatabase, schema: string): SharedFigures {
  const counts = journalCounts(opened)
  const now = Date.now()
  const journals = sharedJournals(opened, schema).map((found) => {
    // Alerts about a host that was taken away would never end.
    const unknown = { projector_running: null, lag_seconds: null }
    const journal = isRetired(found, now) ? { ...found, ...unknown } : found
    return { ...journal, events: 0, late: 0, unchecked: 0, held: 0, ...counts.get(journal.journal_id) }
  })
  return { is: 'shared', journals, databaseBytes: databaseBytes(opened) }
}

function readFile(opened: Database, databasePath: string): FileFigures {
  const file = realPath(databasePath)
  return {
    is: 'file',
    counts: readProjection(opened),
    isProjectorUp: isLocked(file),
    journal: null,
    databaseBytes: sizeOf(file),
    walBytes: sizeOf(`${file}-wal`),
  }
}

function readProjection(database: Database): ProjectedCounts {
  const { requests, completions, rejected, late, unchecked } = readPositions(database).reduce(
    (sum, position) => addCounts(sum, position.counts),
    emptyCounts(),
  )
  const held = countHeldCompletions(database)
  return { events: requests + completions, rejected_lines: rejected, late, unchecked, held }
}

async function readJournal(journal: string, databasePath: string): Promise<StatusReport | null> {
  try {
    return await status({ journal, database: databasePath })
  } catch (error) {
    if (error instanceof JournalError || error instanceof ProjectionError) return null
    throw error
  }
}

/** Resolves symlinks: SQLite keeps the -wal next to the file itself. */
function realPath(databasePath: string): string {
  try {
    return realpathSync(databasePath)
  } catch (cause) {
    const text =
      'the database was removed while this process had it open: bring it back, or run `request-journal project` to make it again'
    throw new DatabaseError('DATABASE_MISSING', databasePath, text, { cause })
  }
}

/** Uses `stat` only: opening and closing the file would drop this process's locks on it. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

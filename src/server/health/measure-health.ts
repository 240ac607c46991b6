import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { JournalError } from '../../journal/errors.js'
import { freeBytes } from '../../journal/file-system.js'
import { type StatusReport, status } from '../../maintenance/status.js'
import type { QueryDatabase } from '../../queries/index.js'
import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import { openDatabaseReadOnly } from '../../store/sqlite/connection/database.js'
import { isLocked } from '../../store/sqlite/connection/lock.js'
import { hasPositions } from '../../store/sqlite/segment-queries.js'
import type { QueryProcessData } from '../pool/query-task.js'
import { type FleetMeasures, measureFleet } from './fleet-health.js'

type OfBoth = 'projector_running' | 'lag_seconds' | 'rejected_lines'

/** The figures that decide about health. They have no paths, because anyone may read them. */
export interface HealthMeasures extends Partial<Omit<FleetMeasures, OfBoth>> {
  /** Whether something holds the database: a projector, a replay or a prune. */
  projector_running: boolean | null
  /** How long the first line that isn't projected has waited; null if there is no journal. */
  lag_seconds: number | null
  rejected_lines: number | null
  /** Bytes of the journal that aren't projected; left out for PostgreSQL. */
  lag_bytes?: number | null
  /** Free space on the database's disk, for this user; left out for PostgreSQL. */
  disk_free_bytes?: number
  /** Free space on the journal's disk; null if the journal doesn't exist or isn't writable here. */
  journal_disk_free_bytes: number | null
}

/** @throws DatabaseError, PostgresError, ProjectionError as `status` does. */
export async function measureHealth(
  opened: QueryDatabase,
  { database, schema, journal }: QueryProcessData,
): Promise<HealthMeasures> {
  if (isPostgresAddress(database)) {
    return {
      ...measureFleet(opened, schema, Date.now()),
      journal_disk_free_bytes: freeBytes(journal),
    }
  }
  const { bavail, bsize } = statfsSync(dirname(database))
  const report = await statusOf(database, journal)
  const isRunning = report === null ? isLocked(database) : report.database?.projector_running
  return {
    projector_running: isRunning ?? false,
    lag_seconds: report?.lag_seconds ?? null,
    lag_bytes: report?.lag_bytes ?? null,
    rejected_lines: report?.database?.rejected ?? null,
    disk_free_bytes: bavail * bsize,
    journal_disk_free_bytes: freeBytes(journal),
  }
}

/**
 * Returns null while there is no journal yet: a projector waits for its first writer to make one,
 * and nothing is late. But a journal that has been projected must exist.
 */
async function statusOf(database: string, journal: string): Promise<StatusReport | null> {
  try {
    return await status({ journal, database })
  } catch (error) {
    const isMissing = error instanceof JournalError && error.code === 'JOURNAL_MISSING'
    if (!isMissing || hasProjected(database)) throw error
    return null
  }
}

function hasProjected(databasePath: string): boolean {
  const database = openDatabaseReadOnly(databasePath)
  try {
    return hasPositions(database)
  } finally {
    database.close()
  }
}

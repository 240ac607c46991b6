import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { JournalError } from '../../journal/errors.js'
import { freeBytes } from '../../journal/files.js'
import { status } from '../../maintenance/status.js'
import { openDatabaseReadOnly } from '../../store/sqlite/connection/database.js'
import { isProjectorRunning } from '../../store/sqlite/connection/projector-lock.js'
import type { QueryProcessData } from '../pool/query-task.js'

/** What decides whether the service is healthy, and what is good to know beside it. No paths: anyone may read it. */
export interface HealthMeasures {
  /** Somebody holds the database: a projector, a replay or a prune. */
  projector_running: boolean
  /** How long the first line that is not projected has waited; null: there is no journal to compare with. */
  lag_seconds: number | null
  lag_bytes: number | null
  rejected_lines: number | null
  /** Free space where the database is, for this user. */
  disk_free_bytes: number
  /** The same where the journal is; null: there is none, or it can't be written in any case. */
  journal_disk_free_bytes: number | null
}

/** @throws DatabaseError, ProjectionError as `status` does. */
export async function measureHealth({ database, journal }: QueryProcessData): Promise<HealthMeasures> {
  const { bavail, bsize } = statfsSync(dirname(database))
  const disks = { disk_free_bytes: bavail * bsize, journal_disk_free_bytes: freeBytes(journal) }
  try {
    const report = await status({ journal, database })
    return {
      projector_running: report.database?.projector_running ?? false,
      lag_seconds: report.lag_seconds,
      lag_bytes: report.lag_bytes,
      rejected_lines: report.database?.rejected ?? null,
      ...disks,
    }
  } catch (error) {
    // A projector waits for a journal, which its first writer makes: nothing is late. One that was projected is away.
    const isMissing = error instanceof JournalError && error.code === 'JOURNAL_MISSING'
    if (!isMissing || hasProjected(database)) throw error
  }
  return {
    projector_running: isProjectorRunning(database),
    lag_seconds: null,
    lag_bytes: null,
    rejected_lines: null,
    ...disks,
  }
}

function hasProjected(path: string): boolean {
  const database = openDatabaseReadOnly(path)
  try {
    return database.prepare('SELECT 1 FROM journal_segments LIMIT 1').get() !== undefined
  } finally {
    database.close()
  }
}

import { dirname, join, resolve } from 'node:path'
import { countText } from '../../maintenance/count-text.js'
import type { DatabaseLocation } from '../../maintenance/database-location.js'
import type { DatabaseLag } from '../../maintenance/lag.js'
import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { formatBytes, formatSeconds } from '../output/format.js'

/** A running projector is usually behind by less, and needs no note. */
const USUAL_LAG_SECONDS = 2

/** What to run if no projector runs. */
export const PROJECT_ADVICE =
  '`request-journal project --once` projects it, and `request-journal project` also what is appended later'

/** Where a database is, and its journal if it was named. */
export interface DatabaseFlags extends DatabaseLocation {
  journal?: string
}

/**
 * Says that the answers of a database are older than its journal, or that they include segments
 * that are gone from it; null if neither is so. The journal is the one that was named, or else the
 * one that the environment names or that is in this directory, or the one next to the database. A
 * journal that the database wasn't projected from is ignored.
 */
export async function lagText(database: QueryDatabase, flags: DatabaseFlags): Promise<string | null> {
  const { databaseLag } = await import('../../maintenance/lag.js')
  for (const directory of usualJournals(flags)) {
    try {
      const lag = await databaseLag(directory, database, flags)
      if (lag !== null) return textOf(lag)
    } catch {
      // The answer doesn't depend on this, and `status` says what is wrong with the journal.
    }
  }
  return null
}

function textOf(lag: DatabaseLag): string | null {
  const notes = [waitingText(lag), goneText(lag)].filter((text) => text !== null)
  return notes.length === 0 ? null : notes.join('\n')
}

function goneText({ segments_gone }: DatabaseLag): string | null {
  if (segments_gone === 0) return null
  const [are, them] = segments_gone === 1 ? ['is', 'it'] : ['are', 'them']
  return `note: ${countText(segments_gone, 'segment')} that ${are} projected ${are} gone from the journal, so the answers still include ${them}: bring ${them} back from a backup, or build the database without ${them} by \`request-journal replay --allow-missing\``
}

function waitingText({ lag_bytes, lag_seconds, projector_running }: DatabaseLag): string | null {
  if (lag_bytes === 0) return null
  const isRunning = projector_running !== false
  if (isRunning && lag_seconds < USUAL_LAG_SECONDS) return null
  const why = isRunning
    ? `the projector is ${formatSeconds(lag_seconds)} behind`
    : `no projector runs: ${PROJECT_ADVICE}`
  return `note: ${formatBytes(lag_bytes)} of the journal not projected yet; ${why}`
}

function usualJournals({ database, journal }: DatabaseFlags): Set<string> {
  const beside = isPostgresAddress(database) ? [] : [join(dirname(database), 'journal')]
  return new Set([resolve(journal ?? process.env['REQUEST_JOURNAL_DIR'] ?? 'journal'), ...beside])
}

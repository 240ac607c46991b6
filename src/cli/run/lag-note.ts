import { dirname, join, resolve } from 'node:path'
import type { DatabaseLag } from '../../maintenance/lag.js'
import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { formatBytes, formatSeconds } from '../output/format.js'

/** A running projector is usually behind by less, and needs no note. */
const USUAL_LAG_SECONDS = 2

const PROJECT = '`request-journal project --once` projects it, `request-journal project` what follows too'

/** Where a database is, and its journal if it was named. */
export interface DatabaseFlags {
  db: string
  schema?: string
  journal?: string
}

/**
 * Says in one line that the answers of a database are older than its journal; null if they aren't.
 * The journal is the one that was named, else the one of the environment or of this directory, or
 * the one beside the database. One that isn't the database's own counts for nothing.
 */
export async function lagText(
  database: QueryDatabase,
  { db, schema, journal }: DatabaseFlags,
): Promise<string | null> {
  const { databaseLag } = await import('../../maintenance/lag.js')
  for (const directory of usualJournals(db, journal)) {
    try {
      const lag = await databaseLag(directory, database, { database: db, schema })
      if (lag !== null) return textOf(lag)
    } catch {
      // There is an answer without it, and `status` says what is wrong with the journal.
    }
  }
  return null
}

function textOf({ lag_bytes, lag_seconds, projector_running }: DatabaseLag): string | null {
  if (lag_bytes === 0) return null
  const isRunning = projector_running !== false
  if (isRunning && lag_seconds < USUAL_LAG_SECONDS) return null
  const why = isRunning
    ? `the projector is ${formatSeconds(lag_seconds)} behind`
    : `no projector runs: ${PROJECT}`
  return `note: ${formatBytes(lag_bytes)} of the journal not projected yet; ${why}`
}

function usualJournals(db: string, journal = process.env['REQUEST_JOURNAL_DIR'] ?? 'journal'): Set<string> {
  const beside = isPostgresAddress(db) ? [] : [join(dirname(db), 'journal')]
  return new Set([resolve(journal), ...beside])
}

/** Where a journal is, and its database if the command has an option for it. */
export interface JournalFlags extends Partial<DatabaseFlags> {
  journal: string
}

/**
 * Says in one line when events that were just appended take effect, as far as the journal's database
 * tells: the one that was named, else that of the environment or of this directory, or the one beside
 * the journal.
 */
export async function effectText(flags: JournalFlags): Promise<string> {
  const { withDatabase } = await import('./database.js')
  const { journal } = flags
  const { REQUEST_JOURNAL_DB: named = 'requests.db', REQUEST_JOURNAL_SCHEMA } = process.env
  const schema = flags.schema ?? REQUEST_JOURNAL_SCHEMA
  for (const name of new Set([flags.db ?? named, join(dirname(journal), 'requests.db')])) {
    const db = isPostgresAddress(name) ? name : resolve(name)
    try {
      const lag = await withDatabase(
        { db, ...(schema === undefined ? {} : { schema }) },
        async (database) => {
          const { databaseLag } = await import('../../maintenance/lag.js')
          return await databaseLag(journal, database, { database: db, schema })
        },
      )
      if (lag === null) continue
      if (lag.lag_bytes === 0) return 'note: it is in effect: a projector runs, and has projected it'
      return lag.projector_running === false
        ? `note: it takes effect once it is projected, and no projector runs: ${PROJECT}`
        : 'note: it takes effect within a second: a projector runs'
    } catch {
      // There is no such database, or it says nothing of this journal.
    }
  }
  return `note: it takes effect once it is projected: a projector that runs does so at once; else ${PROJECT}`
}

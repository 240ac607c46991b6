import { dirname, join, resolve } from 'node:path'
import { isPostgresAddress } from '../../store/postgres/connection/address.js'
import { withDatabase } from './database.js'
import { type DatabaseFlags, PROJECT_ADVICE } from './lag-note.js'

/** Where a journal is, and its database if the command has an option for it. */
export interface JournalFlags extends Partial<DatabaseFlags> {
  journal: string
}

/**
 * Says in one line when events that were just appended take effect, as far as a database of the
 * journal shows it: the one that was named, or else the one that the environment names or that is
 * in this directory, or the one next to the journal.
 */
export async function effectText(flags: JournalFlags): Promise<string> {
  const { journal } = flags
  const { REQUEST_JOURNAL_DB: named = 'requests.db', REQUEST_JOURNAL_SCHEMA } = process.env
  const schema = flags.schema ?? REQUEST_JOURNAL_SCHEMA
  for (const name of new Set([flags.database ?? named, join(dirname(journal), 'requests.db')])) {
    const place = { database: isPostgresAddress(name) ? name : resolve(name), schema }
    try {
      const lag = await withDatabase(place, async (database) => {
        const { databaseLag } = await import('../../maintenance/lag.js')
        return await databaseLag(journal, database, place)
      })
      if (lag === null) continue
      if (lag.lag_bytes === 0) return 'note: it is in effect: a projector runs, and has projected it'
      return lag.projector_running === false
        ? `note: it takes effect once it is projected, and no projector runs: ${PROJECT_ADVICE}`
        : 'note: it takes effect within a second: a projector runs'
    } catch {
      // There is no such database, or it doesn't know this journal.
    }
  }
  return `note: it takes effect once it is projected: a running projector does that at once; otherwise ${PROJECT_ADVICE}`
}

import type { DatabaseLocation } from '../../maintenance/database-location.js'
import type { QueryDatabase } from '../../store/query-database.js'
import { withElapsedTime } from '../output/elapsed.js'
import { note } from '../output/standard-error.js'
import { type DatabaseFlags, lagText } from './lag-note.js'

/**
 * Opens a database read-only and asks it something. Errors of its driver become DatabaseErrors or
 * PostgresErrors.
 */
export async function withDatabase<T>(
  { database: path, schema }: DatabaseLocation,
  ask: (database: QueryDatabase) => T | Promise<T>,
): Promise<T> {
  const { openDatabaseReadOnly } = await import('../../queries/open-database.js')
  const { asStoreError } = await import('../../store/open-store.js')
  const database = openDatabaseReadOnly(path, { schema })
  try {
    return await ask(database)
  } catch (error) {
    throw asStoreError(error, path)
  } finally {
    database.close()
  }
}

/**
 * Does what {@link withDatabase} does. A terminal also shows how long the answer has taken so far,
 * and a note on stderr says if the database is older than the journal, whether there is an answer
 * or an error.
 *
 * @param isTimed whether a terminal shows how long the answer has taken.
 */
export async function askDatabase<T>(
  flags: DatabaseFlags,
  ask: (database: QueryDatabase) => T | Promise<T>,
  { isTimed = true } = {},
): Promise<T> {
  let lag: string | null = null
  const askBoth = async (database: QueryDatabase) => {
    try {
      return await ask(database)
    } finally {
      lag = await lagText(database, flags)
    }
  }
  try {
    const answer = () => withDatabase(flags, askBoth)
    return await (isTimed ? withElapsedTime(answer) : answer())
  } finally {
    if (lag !== null) note(lag)
  }
}

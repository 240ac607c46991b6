import { collectMetrics } from '../../src/server/collect-metrics.js'
import { renderMetrics } from '../../src/server/metrics.js'
import { openDatabaseReadOnly } from '../../src/storage/database.js'
import { type Page, parseExposition } from './exposition-parser.js'

/** What a server would answer now, through a connection of its own. */
export async function pageOf(
  { journal, database }: { journal: string; database: string },
  seriesLimit?: number,
): Promise<Page> {
  const connection = openDatabaseReadOnly(database)
  try {
    const options = { journal, databasePath: database, seriesLimit }
    return parseExposition(renderMetrics(await collectMetrics(connection, options)))
  } finally {
    connection.close()
  }
}

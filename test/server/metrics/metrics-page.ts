import { collectMetrics } from '../../../src/server/metrics/collect-metrics.js'
import { renderMetrics } from '../../../src/server/metrics/render-metrics.js'
import { openDatabaseReadOnly } from '../../../src/store/sqlite/connection/database.js'
import { type Page, parseExposition } from './exposition-parser.js'

/** What a server would answer now, through a connection of its own. */
export async function pageOf(
  { journal, database }: { journal: string; database: string },
  seriesLimit?: number,
): Promise<Page> {
  const connection = openDatabaseReadOnly(database)
  try {
    const options = { journal, database, schema: 'none', seriesLimit }
    return parseExposition(renderMetrics(await collectMetrics(connection, options)))
  } finally {
    connection.close()
  }
}

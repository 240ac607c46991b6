import { checkFoldVersions, FOLD_VERSIONS } from '../fold-versions.js'
import type { JournalConnection } from './journal-connection.js'

/** @throws ProjectionError PROJECTION_OUTDATED */
export async function checkVersions(journal: JournalConnection): Promise<void> {
  const sql = 'SELECT name, version FROM projections WHERE journal = $1'
  checkFoldVersions(journal.connection.name, await journal.all(sql))
}

/** Records that this program's folds have filled a journal's projections. */
export async function storeVersions(journal: JournalConnection): Promise<void> {
  await journal.run(
    `INSERT INTO projections SELECT $1, name, version FROM unnest($2::text[], $3::int[]) AS v(name, version)
     ON CONFLICT (journal, name) DO UPDATE SET version = excluded.version`,
    Object.keys(FOLD_VERSIONS),
    Object.values(FOLD_VERSIONS),
  )
}

import { ProjectionError } from '../errors.js'
import { FOLD_VERSIONS } from '../fold-versions.js'
import type { Connection } from './connection/connection.js'

/** @throws ProjectionError PROJECTION_OUTDATED */
export async function checkVersions(connection: Connection, journal: number): Promise<void> {
  const rows = await connection.all<{ name: string; version: number }>(
    'SELECT name, version FROM projections WHERE journal = $1',
    journal,
  )
  const stored = new Map(rows.map((row) => [row.name, row.version]))
  for (const [name, version] of Object.entries(FOLD_VERSIONS)) {
    if (stored.get(name) === version) continue
    const text = `the projection ${name} was filled by version ${stored.get(name)} of its fold, but this program has ${version}`
    throw new ProjectionError(
      'PROJECTION_OUTDATED',
      connection.name,
      `${text}: run \`request-journal replay\``,
    )
  }
}

/** Records that this program's folds have filled a journal's projections. */
export async function storeVersions(connection: Connection, journal: number): Promise<void> {
  await connection.run(
    `INSERT INTO projections SELECT $1, name, version FROM unnest($2::text[], $3::int[]) AS v(name, version)
     ON CONFLICT (journal, name) DO UPDATE SET version = excluded.version`,
    journal,
    Object.keys(FOLD_VERSIONS),
    Object.values(FOLD_VERSIONS),
  )
}

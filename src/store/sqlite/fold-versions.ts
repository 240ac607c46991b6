import { ProjectionError } from '../errors.js'
import { FOLD_VERSIONS } from '../fold-versions.js'
import type { Database } from './connection/database.js'

/** @throws ProjectionError PROJECTION_OUTDATED */
export function checkVersions(database: Database, path: string): void {
  const rows = database
    .prepare<[], { name: string; version: number }>('SELECT name, version FROM projections')
    .all()
  const stored = new Map(rows.map((row) => [row.name, row.version]))
  for (const [name, version] of Object.entries(FOLD_VERSIONS)) {
    if (stored.get(name) === version) continue
    const text = `the projection ${name} was filled by version ${stored.get(name)} of its fold, but this program has ${version}`
    throw new ProjectionError('PROJECTION_OUTDATED', path, `${text}: run \`request-journal replay\``)
  }
}

/** Records that a replay has filled every projection with this program's folds. */
export function storeVersions(database: Database): void {
  const statement = database.prepare('INSERT OR REPLACE INTO projections (name, version) VALUES (?, ?)')
  for (const [name, version] of Object.entries(FOLD_VERSIONS)) statement.run(name, version)
}

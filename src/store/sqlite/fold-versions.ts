import { checkFoldVersions, FOLD_VERSIONS } from '../fold-versions.js'
import type { Database } from './connection/database.js'

/** @throws ProjectionError PROJECTION_OUTDATED */
export function checkVersions(database: Database, path: string): void {
  const sql = 'SELECT name, version FROM projections'
  checkFoldVersions(path, database.prepare<[], { name: string; version: number }>(sql).all())
}

/** Records that a replay has filled every projection with this program's folds. */
export function storeVersions(database: Database): void {
  const statement = database.prepare('INSERT OR REPLACE INTO projections (name, version) VALUES (?, ?)')
  for (const [name, version] of Object.entries(FOLD_VERSIONS)) statement.run(name, version)
}

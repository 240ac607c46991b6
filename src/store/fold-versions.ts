import { ProjectionError } from './errors.js'

/**
 * The version of each projection's fold. Raise it when the same events produce different rows than
 * before, so that `project` stops and asks for a replay. A new projection is filled by the
 * migration that adds it.
 */
export const FOLD_VERSIONS: Readonly<Record<string, number>> = {
  requests: 2,
  token_ratios: 1,
  rollups: 1,
  counters: 1,
}

/**
 * Checks which versions of the folds have filled a database.
 *
 * @throws ProjectionError PROJECTION_OUTDATED
 */
export function checkFoldVersions(
  databaseName: string,
  rows: readonly { name: string; version: number }[],
): void {
  const stored = new Map(rows.map((row) => [row.name, row.version]))
  for (const [name, version] of Object.entries(FOLD_VERSIONS)) {
    if (stored.get(name) === version) continue
    const text = `the projection ${name} was filled by version ${stored.get(name)} of its fold, but this program has ${version}`
    throw new ProjectionError('PROJECTION_OUTDATED', databaseName, `${text}: run \`request-journal replay\``)
  }
}

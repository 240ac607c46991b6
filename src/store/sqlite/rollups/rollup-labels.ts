import type { QueryDatabase } from '../../query-database.js'
import { checkRollupLabels, otherRollupLabels } from '../../rollup-labels.js'
import type { Database } from '../connection/database.js'

/** The names of the labels that roll-ups are kept by, in order. */
export function rollupLabels(database: QueryDatabase): string[] {
  return database.prepare<[], string>('SELECT name FROM rollup_labels ORDER BY name').pluck().all()
}

/** Sets the labels. Call it only while the roll-ups are empty, since every sum depends on them. */
export function setRollupLabels(database: Database, names: readonly string[]): void {
  database.exec('DELETE FROM rollup_labels')
  const insert = database.prepare('INSERT OR IGNORE INTO rollup_labels (name) VALUES (?)')
  for (const name of names) insert.run(name)
}

/**
 * Chooses the labels that roll-ups are kept by. They can be chosen while there are no requests.
 * Later only a replay can set others, since every sum depends on them.
 *
 * @param asked the labels to choose; undefined keeps those that are stored.
 * @throws ProjectionError OTHER_ROLLUP_LABELS; RangeError like `checkRollupLabels`.
 */
export function chooseRollupLabels(
  database: Database,
  path: string,
  asked: readonly string[] | undefined,
): string[] {
  const stored = rollupLabels(database)
  if (asked === undefined) return stored
  const names = checkRollupLabels(asked)
  if (names.join('\0') === stored.toSorted().join('\0')) return stored
  if (database.prepare('SELECT 1 FROM requests LIMIT 1').get() !== undefined)
    throw otherRollupLabels(path, stored, names)
  database.transaction(() => setRollupLabels(database, names)).immediate()
  return rollupLabels(database)
}

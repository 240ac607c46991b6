import { ProjectionError } from '../errors.js'
import { checkRollupLabels, describeLabels, otherRollupLabels } from '../rollup-labels.js'
import type { Connection } from './connection/connection.js'
import type { JournalConnection } from './journal-connection.js'

/** The names of the labels that all journals' roll-ups are kept by, in order. */
export async function rollupLabels(connection: Connection): Promise<string[]> {
  const rows = await connection.all<{ name: string }>(
    'SELECT name FROM rollup_labels ORDER BY name COLLATE "C"',
  )
  return rows.map(({ name }) => name)
}

/**
 * Changes the labels for a replay of one journal, which rebuilds its roll-ups. The roll-ups of
 * other journals would stay as they are, and sums by a new label would lack their requests.
 *
 * @throws ProjectionError OTHER_ROLLUP_LABELS if other journals have requests.
 */
export async function changeRollupLabels(
  journal: JournalConnection,
  names: readonly string[],
): Promise<void> {
  const { connection } = journal
  const stored = await lockedLabels(connection)
  if (names.toSorted().join('\0') === stored.toSorted().join('\0')) return
  const others = 'SELECT 1 FROM journal_segments WHERE journal <> $1 AND requests > 0 LIMIT 1'
  if ((await journal.one(others)) !== undefined) {
    const text = `the roll-ups of other journals are kept by ${describeLabels(stored)}, but you asked for ${describeLabels(names)}`
    const advice =
      'make another schema with `request-journal migrate --schema`, and project every journal there with the new labels'
    throw new ProjectionError('OTHER_ROLLUP_LABELS', connection.name, `${text}: ${advice}`)
  }
  await setRollupLabels(connection, names)
}

/**
 * The labels, which nobody else changes until the transaction ends. Projectors of several journals
 * may begin at once, and all of them set the labels that they were given.
 */
async function lockedLabels(connection: Connection): Promise<string[]> {
  await connection.exec('LOCK TABLE rollup_labels IN SHARE ROW EXCLUSIVE MODE')
  return await rollupLabels(connection)
}

/** Sets the labels. Call it only while no journal's roll-ups depend on them. */
async function setRollupLabels(connection: Connection, names: readonly string[]): Promise<void> {
  await connection.exec('DELETE FROM rollup_labels')
  await connection.run('INSERT INTO rollup_labels SELECT DISTINCT unnest($1::text[])', names)
}

/**
 * Chooses the labels that roll-ups are kept by. They can be chosen while there are no requests of
 * any journal.
 *
 * @param asked the labels to choose; undefined keeps those that are stored.
 * @throws ProjectionError OTHER_ROLLUP_LABELS; RangeError like `checkRollupLabels`.
 */
export async function chooseRollupLabels(
  connection: Connection,
  asked: readonly string[] | undefined,
): Promise<string[]> {
  const stored = await rollupLabels(connection)
  if (asked === undefined) return stored
  const names = checkRollupLabels(asked)
  const isAsked = (labels: readonly string[]) => names.join('\0') === labels.toSorted().join('\0')
  if (isAsked(stored)) return stored
  const latest = await lockedLabels(connection)
  if (isAsked(latest)) return latest
  if ((await connection.one('SELECT 1 FROM requests LIMIT 1')) !== undefined)
    throw otherRollupLabels(connection.name, latest, names)
  await setRollupLabels(connection, names)
  return await rollupLabels(connection)
}

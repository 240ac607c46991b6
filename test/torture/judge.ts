import { setTimeout as sleep } from 'node:timers/promises'
import SQLite from 'better-sqlite3'
import { projectOnce, replay } from '../../src/projection/index.js'
import { findDifferences } from '../support/checker.js'
import type { Verdict } from './fault.js'

interface Paths {
  journal: string
  database: string
}

export type Row = Record<string, unknown>

/** Through a connection of its own. */
export function query(database: string, sql: string): Row[] {
  const connection = new SQLite(database, { readonly: true })
  try {
    return connection.prepare(sql).all() as Row[]
  } finally {
    connection.close()
  }
}

export function countRows(database: string): number {
  try {
    return Number(query(database, 'SELECT count(*) AS n FROM requests')[0]?.['n'])
  } catch {
    // Not made yet, or not migrated.
    return 0
  }
}

/**
 * Resolves when the condition holds. There is no limit but that of the round.
 *
 * @param restMs how long it rests between two looks, most of which open a database.
 */
export async function until(
  condition: () => boolean,
  isHopeless: () => string | null = () => null,
  restMs = 20,
): Promise<void> {
  while (!condition()) {
    const reason = isHopeless()
    if (reason !== null) throw new Error(reason)
    await sleep(restMs)
  }
}

/**
 * Projects what is left to project, and compares: the events that were promised with the rows, the rows with the
 * journal (by a checker that shares no code with the program), and, unless lines came late, the database with a replay.
 */
export async function judge(
  paths: Paths,
  promised: string[],
  options: { withReplay?: boolean } = {},
): Promise<Verdict> {
  await projectOnce(paths)
  const verdict = compareNow(paths, promised)
  if (options.withReplay === true) verdict.wrong.push(...(await differencesAfterReplay(paths)))
  return verdict
}

/** The same, of the database as it is. */
export function compareNow({ journal, database }: Paths, promised: string[]): Verdict {
  const rows = query(database, 'SELECT correlation_id AS id, count(*) AS n FROM requests GROUP BY 1')
  const found = new Map(rows.map((row) => [row['id'], Number(row['n'])]))
  return {
    lost: promised.filter((id) => !found.has(id)),
    doubled: [...found].filter(([, n]) => n > 1).map(([id, n]) => `${id} ${n} times`),
    wrong: findDifferences(journal, database),
  }
}

const TABLES = ['requests', 'token_ratios', 'token_ratio_sums', 'held_completions', 'rejected_lines']

export function contentsOf(database: string): string[] {
  return TABLES.map((table) => JSON.stringify(query(database, `SELECT * FROM ${table} ORDER BY 1, 2`)))
}

async function differencesAfterReplay(paths: Paths): Promise<string[]> {
  const late = query(paths.database, 'SELECT sum(late_lines) AS late FROM journal_segments')[0]?.['late']
  const live = contentsOf(paths.database)
  await replay(paths)
  const differences = findDifferences(paths.journal, paths.database)
  if (Number(late) > 0) return differences
  const replayed = contentsOf(paths.database)
  return [
    ...differences,
    ...TABLES.filter((_, i) => live[i] !== replayed[i]).map((table) => `a replay gives another ${table}`),
  ]
}

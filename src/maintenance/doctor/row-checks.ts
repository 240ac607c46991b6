import type { JournalTables, KnownSegments } from '../journal-tables.js'
import type { NamedCheck } from './check.js'
import { checkCompletions, checkHeld, checkStreams } from './completions.js'
import { checkRejected } from './database.js'
import { checkUsage } from './inconsistent-usage.js'
import { checkLines } from './projector.js'

/** The checks of what a journal's lines have become, in either kind of database. */
export function rowChecks(
  tables: JournalTables,
  { positions }: KnownSegments,
  now: number,
): readonly NamedCheck[] {
  return [
    ['rejected_lines', () => checkRejected(tables)],
    ['held_completions', () => checkHeld(tables, now)],
    ['completions', () => checkCompletions(tables, positions)],
    ['unfinished_streams', () => checkStreams(tables, now)],
    ['inconsistent_usage', () => checkUsage(tables)],
    ['lines', () => checkLines(positions)],
  ]
}

import type { JournalTables, KnownSegments } from '../journal-tables.js'
import type { Look } from './check.js'
import { checkCompletions, checkHeld, checkStreams } from './completions.js'
import { checkRejected } from './database.js'
import { checkLines } from './projector.js'
import { checkUsage } from './usage.js'

/** The looks at what a journal's lines have become, in either database. */
export function looksAtRows(
  tables: JournalTables,
  { positions }: KnownSegments,
  now: number,
): readonly Look[] {
  return [
    ['rejected_lines', () => checkRejected(tables)],
    ['held_completions', () => checkHeld(tables, now)],
    ['completions', () => checkCompletions(tables, positions)],
    ['unfinished_streams', () => checkStreams(tables, now)],
    ['inconsistent_usage', () => checkUsage(tables)],
    ['lines', () => checkLines(positions)],
  ]
}

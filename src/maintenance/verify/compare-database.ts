import type { Comparison } from './comparison.js'
import { reportCounters } from './counter-problems.js'
import { reportImpossibleId, reportMovedId } from './id-problems.js'
import {
  reportDoubledIds,
  reportHeld,
  reportPositions,
  reportPrices,
  reportPrunedCompletions,
  reportRejected,
  reportSuperseded,
} from './place-problems.js'
import { reportRequests } from './request-problems.js'
import { reportRatios, reportRollups } from './sum-problems.js'

/**
 * Compares the database with what the journal gives, and reports each difference.
 *
 * @param prunedCompletions the places of completions of pruned requests that the journal has.
 * @returns how many completions wait for their request, and how many were overwritten.
 */
export function compareWithExpected(
  comparison: Comparison,
  prunedCompletions: ReadonlySet<string>,
): { held: number; superseded: number } {
  const { snapshot, problems, isClaimed } = comparison
  reportDoubledIds(comparison)
  reportRejected(comparison)
  reportPrices(comparison, 'prices', 'price')
  reportPrices(comparison, 'exchange_rates', 'exchange rate')
  const moved = reportRequests(comparison)
  const held = reportHeld(comparison)
  reportSuperseded(comparison)
  reportPrunedCompletions(comparison, prunedCompletions)
  reportPositions(comparison)
  // If rows are wrong, the sums over them can't be right.
  if (!problems.hasRowProblems) {
    reportRatios(snapshot.database, problems)
    if (isClaimed) reportImpossibleId(comparison)
    else if (moved !== null) reportMovedId(moved, problems)
    reportRollups(snapshot, problems)
    reportCounters(snapshot, problems)
  }
  const overwritten = 'SELECT count(*) FROM expected.superseded_completions WHERE segment_id > ?'
  return { held, superseded: snapshot.value(overwritten, snapshot.pruned.through) ?? 0 }
}

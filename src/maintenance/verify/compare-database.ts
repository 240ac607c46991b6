import { reportCounters } from './counter-problems.js'
import { reportImpossibleId, reportMovedId } from './id-problems.js'
import { PlaceProblems } from './place-problems.js'
import { RequestProblems } from './request-problems.js'
import type { Snapshot } from './snapshot.js'
import type { Stretches } from './stretches.js'
import { reportRatios, reportRollups } from './sum-problems.js'
import type { ProblemList } from './verify-problems.js'

interface CompareOptions {
  problems: ProblemList
  stretches: Stretches
  /** Whether the database was believed about which row each completion changed. */
  isClaimed: boolean
  /** The places of completions of pruned requests that the journal has. */
  prunedCompletions: ReadonlySet<string>
}

/**
 * Compares the database with what the journal gives, and reports each difference.
 *
 * @returns how many completions wait for their request, and how many were overwritten.
 */
export function compareWithExpected(
  snapshot: Snapshot,
  { problems, stretches, isClaimed, prunedCompletions }: CompareOptions,
): { held: number; superseded: number } {
  const { database, pruned } = snapshot
  snapshot.reportDoubledIds(problems)
  const places = new PlaceProblems({ snapshot, stretches, problems, isClaimed })
  places.reportRejected()
  places.reportPrices()
  const requests = new RequestProblems({ snapshot, stretches, problems })
  requests.report()
  const held = places.reportHeld()
  places.reportSuperseded()
  places.reportPrunedCompletions(prunedCompletions)
  places.reportPositions()
  // If rows are wrong, the sums over them can't be right.
  if (!problems.hasRowProblems) {
    reportRatios(database, problems)
    if (isClaimed) reportImpossibleId(snapshot, stretches, problems)
    else if (requests.moved !== null) reportMovedId(requests.moved, problems)
    reportRollups(snapshot, problems)
    reportCounters(snapshot, problems)
  }
  const superseded = database
    .prepare<[number], number>('SELECT count(*) FROM expected.superseded_completions WHERE segment_id > ?')
    .pluck()
    .get(pruned.through)
  return { held, superseded: superseded ?? 0 }
}

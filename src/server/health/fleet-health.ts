import { type SharedJournal, sharedJournals } from '../../maintenance/other-journals.js'
import type { QueryDatabase } from '../../queries/index.js'

/** What PostgreSQL knows about a journal, without the host's name: anyone may read it. */
export type JournalHealth = Pick<
  SharedJournal,
  'journal_id' | 'projector_running' | 'last_seen' | 'lag_seconds'
>

/** A journal that hasn't been seen for this long counts as retired: its host was taken away. */
const RETIRED_MS = 24 * 3600 * 1000

/** How many journals a report lists, those with the largest lag first. */
const MAX_LISTED = 100

/** Measures of the journals that share a PostgreSQL database. */
export interface FleetMeasures {
  /** Whether any projector is connected. Null: a replica doesn't know. */
  projector_running: boolean | null
  /** The largest lag of a journal whose projector is connected. */
  lag_seconds: number | null
  rejected_lines: number
  /** How many journals there are, and how many of them haven't been seen for a day. */
  journals: number
  retired_journals: number
  /** Up to 100 journals that aren't retired: first those without a projector, then by their lag. */
  journal_states: JournalHealth[]
}

/** @param now milliseconds since 1970. */
export function measureFleet(database: QueryDatabase, schema: string, now: number): FleetMeasures {
  const all = sharedJournals(database, schema)
  const active = all.filter((journal) => !isRetired(journal, now))
  const running = active.filter(({ projector_running }) => projector_running)
  const isReplica = all.some(({ projector_running }) => projector_running === null)
  const states = active.map(({ journal_id, projector_running, last_seen, lag_seconds }) => {
    return { journal_id, projector_running, last_seen, lag_seconds }
  })
  const urgency = ({ projector_running, lag_seconds }: JournalHealth) =>
    projector_running === false ? Number.POSITIVE_INFINITY : (lag_seconds ?? 0)
  states.sort((a, b) => (urgency(a) === urgency(b) ? 0 : urgency(b) - urgency(a)))
  return {
    projector_running: isReplica ? null : running.length > 0,
    lag_seconds: running.length === 0 ? null : Math.max(...running.map((state) => state.lag_seconds ?? 0)),
    rejected_lines: all.reduce((sum, { rejected_lines }) => sum + rejected_lines, 0),
    journals: all.length,
    retired_journals: all.length - active.length,
    journal_states: states.slice(0, MAX_LISTED),
  }
}

/**
 * Lists the problems of journals, a sentence each. The rows themselves don't show that a projector
 * is gone.
 *
 * @param now milliseconds since 1970.
 */
export function journalProblems(
  states: readonly JournalHealth[],
  maxLagSeconds: number,
  now: number,
): string[] {
  return states.flatMap(({ journal_id, projector_running, last_seen, lag_seconds }) => {
    const unseenSeconds = last_seen === null ? 0 : (now - Date.parse(last_seen)) / 1000
    if (projector_running === false && unseenSeconds > maxLagSeconds) {
      return [`no projector of journal ${journal_id} is connected; it was last seen at ${last_seen}`]
    }
    const isBehind = projector_running !== false && (lag_seconds ?? 0) > maxLagSeconds
    return isBehind ? [`journal ${journal_id} is ${lag_seconds} s behind, more than ${maxLagSeconds} s`] : []
  })
}

/** @param now milliseconds since 1970. */
export function isRetired({ projector_running, last_seen }: SharedJournal, now: number): boolean {
  return projector_running !== true && now - Date.parse(last_seen ?? '') > RETIRED_MS
}

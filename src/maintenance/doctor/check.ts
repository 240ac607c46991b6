import { reasonOf } from '../../journal/file-system.js'

/**
 * - `ok`: as it should be.
 * - `note`: worth knowing; nothing is lost and nothing has stopped.
 * - `problem`: somebody has to do something.
 */
export type DoctorLevel = 'ok' | 'note' | 'problem'

/**
 * The result of one check. Its texts may contain names that strangers chose: escape them before a
 * terminal shows them.
 */
export interface DoctorCheck {
  /**
   * A fixed word such as `disk_space`. The same check may appear twice, for journal and database.
   */
  check: string
  level: DoctorLevel
  /** What was found, in one sentence. */
  found: string
  /** Each file, reason or line that the check is about. */
  items: string[]
  /** What to do; null if there is nothing to do, or if `found` is an error that says what to do. */
  advice: string | null
}

/**
 * The result of a check. It has a word only if that isn't the word that the check is listed under.
 */
export type Finding = Omit<DoctorCheck, 'check'> & { check?: string }

export function ok(found: string): Finding {
  return { level: 'ok', found, items: [], advice: null }
}

export function note(found: string, advice: string | null, items: string[] = []): Finding {
  return { level: 'note', found, items, advice }
}

export function problem(found: string, advice: string | null, items: string[] = []): Finding {
  return { level: 'problem', found, items, advice }
}

/** A check's word, and the function that runs it. */
export type NamedCheck = readonly [check: string, () => Finding | Finding[] | Promise<Finding>]

/** Runs the checks. One that throws becomes a problem: the more is wrong, the more is reported. */
export async function runChecks(named: readonly NamedCheck[]): Promise<DoctorCheck[]> {
  const checks: DoctorCheck[] = []
  for (const [check, run] of named) {
    try {
      checks.push(...[await run()].flat().map((finding) => ({ check, ...finding })))
    } catch (error) {
      checks.push(failed(check, error))
    }
  }
  return checks
}

/** A check that failed with an error. This program's own errors say what to do. */
export function failed(check: string, error: unknown): DoctorCheck {
  return { check, ...problem(reasonOf(error), null) }
}

/** How many of a table's newest rows are read: doctor must answer within seconds at any size. */
export const NEWEST_ROWS = 200_000

/** What to write before a count of rows if there may be more than were read. */
export function atLeast(rows: number): string {
  return rows === NEWEST_ROWS ? 'at least ' : ''
}

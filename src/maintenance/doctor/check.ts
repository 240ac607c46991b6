import { countText } from '../count-text.js'

/**
 * - `ok`: as it should be.
 * - `note`: worth knowing; nothing is lost and nothing has stopped.
 * - `problem`: somebody has to do something.
 */
export type DoctorLevel = 'ok' | 'note' | 'problem'

/** One thing that was looked at. Texts may hold what strangers named: not safe for a terminal as they are. */
export interface DoctorCheck {
  /** A fixed word, `disk_space`; the same check may come twice, for journal and database. */
  check: string
  level: DoctorLevel
  /** What was found, in one sentence. */
  found: string
  /** Each file, reason or line that it is about. */
  items: string[]
  /** What to do; null where there is nothing to do, or `found` is an error that says it. */
  advice: string | null
}

export function ok(check: string, found: string): DoctorCheck {
  return { check, level: 'ok', found, items: [], advice: null }
}

export function note(check: string, found: string, advice: string | null, items: string[] = []): DoctorCheck {
  return { check, level: 'note', found, items, advice }
}

export function problem(
  check: string,
  found: string,
  advice: string | null,
  items: string[] = [],
): DoctorCheck {
  return { check, level: 'problem', found, items, advice }
}

/** A check that fails is a finding: of a sick journal as much as possible has to be said. */
export function attempt(check: string, look: () => DoctorCheck | DoctorCheck[]): DoctorCheck[] {
  try {
    return [look()].flat()
  } catch (error) {
    return [failed(check, error)]
  }
}

/** Our own errors say what to do. */
export function failed(check: string, error: unknown): DoctorCheck {
  return problem(check, error instanceof Error ? error.message : String(error), null)
}

/** `12.3 GiB` */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? countText(bytes, 'byte') : `${value.toFixed(1)} ${units[unit]}`
}

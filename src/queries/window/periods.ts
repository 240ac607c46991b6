import type { PERIOD_LENGTH } from './terms.js'

/** What requests are told apart by in time. */
export type Period = keyof typeof PERIOD_LENGTH

const CANONICAL = '0001-01-01T00:00:00.000Z'

/**
 * When an hour or a minute begins, as a canonical timestamp; a day is its date. What rows from before the journal have
 * instead of a timestamp stays as it is.
 */
export function startOfPeriod(beginning: string): string {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}(?::\d{2})?$/.test(beginning)) return beginning
  return beginning + CANONICAL.slice(beginning.length)
}

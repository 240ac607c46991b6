import { safeIdentifier } from '../events/value-kinds.js'
import { ProjectionError } from './errors.js'

/** Returns names in order, each once. @throws RangeError for an empty name, or more than eight. */
export function checkRollupLabels(names: readonly string[]): string[] {
  const sorted = [...new Set(names.map(safeIdentifier))].sort()
  if (sorted.includes('') || sorted.length > MAX_LABELS) {
    throw new RangeError(
      `rollupLabels: found ${describeLabels(sorted)}, expected at most ${MAX_LABELS} names, none empty`,
    )
  }
  return sorted
}

/**
 * The most labels to keep roll-ups by. With more there would be a roll-up for nearly every request.
 */
const MAX_LABELS = 8

/** Returns labels in the form in which a message names them. */
export function describeLabels(names: readonly string[]): string {
  return names.length === 0 ? 'no label' : names.map((name) => JSON.stringify(name)).join(', ')
}

/** The error for labels other than those that the stored roll-ups are kept by. */
export function otherRollupLabels(
  databaseName: string,
  stored: readonly string[],
  asked: readonly string[],
): ProjectionError {
  const text = `its roll-ups are kept by ${describeLabels(stored)}, but you asked for ${describeLabels(asked)}`
  const advice = 'leave the option out, or rebuild them with `request-journal replay --rollup-label`'
  return new ProjectionError('OTHER_ROLLUP_LABELS', databaseName, `${text}: ${advice}`)
}

/** A name with more typing errors than this counts as a different one. */
const MAX_ERRORS = 3
/** The share of a name's characters that may be wrong. */
const MAX_ERROR_SHARE = 0.5

/**
 * Finds the known name that was probably meant, ignoring upper and lower case; null if none is
 * close. The name meant is the one that differs by the fewest characters left out, added, changed,
 * or swapped with their neighbour; or else the only one that the given name could abbreviate, as
 * `tz` abbreviates `timezone`.
 */
export function nearestName(name: string, known: readonly string[]): string | null {
  const found = known
    .map((candidate) => ({ candidate, errors: typingErrors(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, errors }) => errors <= Math.max(name.length, candidate.length) * MAX_ERROR_SHARE)
    .toSorted((a, b) => a.errors - b.errors)[0]
  return found?.candidate ?? onlyLongForm(name.toLowerCase(), known)
}

function onlyLongForm(short: string, known: readonly string[]): string | null {
  if (short.length < 2) return null
  const [found = null, ...others] = known.filter((candidate) => isShortFor(short, candidate.toLowerCase()))
  return others.length === 0 ? found : null
}

/** Whether `short` is the first letter of a name followed by others of its letters, in order. */
function isShortFor(short: string, name: string): boolean {
  if (short[0] !== name[0]) return false
  let matched = 0
  for (const character of name) if (character === short[matched]) matched++
  return matched === short.length
}

/** The restricted Damerau–Levenshtein distance; infinite if it is over {@link MAX_ERRORS}. */
function typingErrors(typed: string, meant: string): number {
  if (Math.abs(typed.length - meant.length) > MAX_ERRORS) return Number.POSITIVE_INFINITY
  let beforeLast: number[] = []
  let last = Array.from({ length: meant.length + 1 }, (_, index) => index)
  for (let row = 1; row <= typed.length; row++) {
    const next = [row]
    for (let column = 1; column <= meant.length; column++) {
      const isSame = typed[row - 1] === meant[column - 1]
      const isSwapped =
        row > 1 && column > 1 && typed[row - 1] === meant[column - 2] && typed[row - 2] === meant[column - 1]
      next[column] = Math.min(
        at(last, column) + 1,
        at(next, column - 1) + 1,
        at(last, column - 1) + (isSame ? 0 : 1),
        isSwapped ? at(beforeLast, column - 2) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    beforeLast = last
    last = next
  }
  const errors = at(last, meant.length)
  return errors > MAX_ERRORS ? Number.POSITIVE_INFINITY : errors
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY
}

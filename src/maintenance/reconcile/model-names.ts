export const MODEL_NAMES = ['exact', 'undated'] as const

/**
 * When a name of the bill and a name of the log are the same model. `exact`: when they are equal,
 * in upper or lower case. `undated`: also when one has spaces or points where the other has dashes,
 * or a date or `latest` at its end: `Claude Sonnet 4.5` and `claude-sonnet-4-5-20250929`.
 */
export type ModelNames = (typeof MODEL_NAMES)[number]

const DATE_OR_LATEST = /-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$/

/** The same for all names that are the same model. */
export function modelKey(name: string, names: ModelNames): string {
  const lower = name.toLowerCase()
  return names === 'exact' ? lower : lower.replace(/[ .]+/g, '-').replace(DATE_OR_LATEST, '')
}

/**
 * Finds the name that is probably meant, among those that the other side has: the one that is the
 * same without date and provider, or the only one that begins like it. Null if none is.
 */
export function likelyName(name: string, others: Iterable<string>): string | null {
  const bare = bareName(name)
  if (bare === '') return null
  const candidates = [...others].map((other) => ({ other, bare: bareName(other) }))
  const same = candidates.filter((candidate) => candidate.bare === bare)
  if (same[0] !== undefined) return same.length === 1 ? same[0].other : null
  const alike = candidates.filter(
    (candidate) => candidate.bare.startsWith(`${bare}-`) || bare.startsWith(`${candidate.bare}-`),
  )
  return alike.length === 1 ? (alike[0]?.other ?? null) : null
}

function bareName(name: string): string {
  return modelKey(name.slice(name.lastIndexOf('/') + 1), 'undated')
}

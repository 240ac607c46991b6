export const MODEL_NAMES = ['exact', 'undated'] as const

/**
 * When a name of the bill and a name of the log are the same model. `exact`: when they are equal,
 * in upper or lower case. `undated`: also when one has spaces or points where the other has dashes,
 * or a date or `latest` at its end: `Claude Sonnet 4.5` and `claude-sonnet-4-5-20250929`.
 */
export type ModelNames = (typeof MODEL_NAMES)[number]

const DATE_OR_LATEST = /-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$/

/** A key that is the same for all names of the same model. */
export function modelKey(name: string, names: ModelNames): string {
  const lower = name.toLowerCase()
  return names === 'exact' ? lower : lower.replace(/[ .]+/g, '-').replace(DATE_OR_LATEST, '')
}

/**
 * Finds which name of the other side probably means the same model: the only one that is the same
 * without date and provider, or the only one that begins with this name or is its beginning. Null
 * if there is none.
 */
export function likelyName(name: string, others: Iterable<string>): string | null {
  const bare = bareName(name)
  if (bare === '') return null
  const candidates = [...others].map((other) => ({ other, bare: bareName(other) }))
  const same = candidates.filter((candidate) => candidate.bare === bare)
  const alike = candidates.filter(
    (candidate) => candidate.bare.startsWith(`${bare}-`) || bare.startsWith(`${candidate.bare}-`),
  )
  const [only, ...more] = same.length > 0 ? same : alike
  return only === undefined || more.length > 0 ? null : only.other
}

function bareName(name: string): string {
  return modelKey(name.slice(name.lastIndexOf('/') + 1), 'undated')
}

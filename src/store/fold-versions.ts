/**
 * The version of each projection's fold. Raise it when the same events produce different rows than
 * before, so that `project` stops and asks for a replay. A new projection is filled by the
 * migration that adds it.
 */
export const FOLD_VERSIONS: Readonly<Record<string, number>> = {
  requests: 2,
  token_ratios: 1,
  rollups: 1,
  counters: 1,
}

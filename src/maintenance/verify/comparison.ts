import type { Place } from '../../events/place.js'
import type { PrunedSegments } from '../../store/pruned-segments.js'
import type { Snapshot } from './snapshot.js'
import type { ProblemList } from './verify-problems.js'

/** A comparison of a database with what the journal gives. */
export interface Comparison {
  snapshot: Snapshot
  stretches: Stretches
  problems: ProblemList
  /** Whether the database is believed about which row each completion changed. */
  isClaimed: boolean
}

/**
 * Keeps which stretches of the journal can't be compared, and what else is special about segments.
 */
export class Stretches {
  /** Segments of which some projected bytes are missing or changed. */
  readonly altered = new Set<number>()
  /** By segment: the offset of the first line that was projected after lines of a newer segment. */
  readonly lateFrom = new Map<number, number>()
  readonly #excluded: { segmentId: number; from: number; to: number }[] = []
  readonly #pruned: PrunedSegments

  /** @param pruned segments that aren't compared at all. */
  constructor(pruned: PrunedSegments) {
    this.#pruned = pruned
  }

  /** Excludes a stretch whose lines are gone or unreadable: rows from there aren't compared. */
  exclude(segmentId: number, from: number, to = Number.MAX_SAFE_INTEGER): void {
    this.#excluded.push({ segmentId, from, to })
  }

  isExcluded({ segmentId, byteOffset }: Place): boolean {
    if (this.#pruned.has(segmentId)) return true
    return this.#excluded.some(
      (stretch) => stretch.segmentId === segmentId && stretch.from <= byteOffset && byteOffset < stretch.to,
    )
  }
}

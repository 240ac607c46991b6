import type { PrunedSegments } from '../../store/pruned-segments.js'

/** Keeps which stretches of the journal can't be compared like others. */
export class Stretches {
  /** Segments whose bytes are not all those that were projected. */
  readonly altered = new Set<number>()
  /** By segment: where the first line begins that was projected after lines of a newer segment. */
  readonly lateFrom = new Map<number, number>()
  readonly #excused: { segmentId: number; from: number; to: number }[] = []
  readonly #pruned: PrunedSegments

  /** @param pruned nothing is asked of these segments. */
  constructor(pruned: PrunedSegments) {
    this.#pruned = pruned
  }

  /**
   * Says that the lines of a stretch are gone, or can't be read any more: what came from them isn't
   * compared.
   */
  excuse(segmentId: number, from: number, to = Number.MAX_SAFE_INTEGER): void {
    this.#excused.push({ segmentId, from, to })
  }

  isExcused(segmentId: number, byteOffset: number): boolean {
    if (this.#pruned.has(segmentId)) return true
    return this.#excused.some(
      (stretch) => stretch.segmentId === segmentId && stretch.from <= byteOffset && byteOffset < stretch.to,
    )
  }
}

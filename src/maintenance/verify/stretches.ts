/** Keeps which stretches of the journal can't be compared like others. */
export class Stretches {
  /** Segments whose bytes are not all those that were projected. */
  readonly altered = new Set<number>()
  /** By segment: where the first line begins that was projected after lines of a newer segment. */
  readonly lateFrom = new Map<number, number>()
  readonly #excused: { segmentId: number; from: number; to: number }[] = []
  readonly #prunedThrough: number

  /** @param prunedThrough nothing is asked of segments up to this one. */
  constructor(prunedThrough: number) {
    this.#prunedThrough = prunedThrough
  }

  /**
   * Says that the lines of a stretch are gone, or can't be read any more: what came from them isn't
   * compared.
   */
  excuse(segmentId: number, from: number, to = Number.MAX_SAFE_INTEGER): void {
    this.#excused.push({ segmentId, from, to })
  }

  isExcused(segmentId: number, byteOffset: number): boolean {
    if (segmentId <= this.#prunedThrough) return true
    return this.#excused.some(
      (stretch) => stretch.segmentId === segmentId && stretch.from <= byteOffset && byteOffset < stretch.to,
    )
  }
}

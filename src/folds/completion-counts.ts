import type { ProjectionTables } from '../store/sqlite/projection-tables.js'

/** What is odd about completions, by the segment that each stands in. Collects the counts of one transaction. */
export class CompletionCounts {
  readonly #counts = new Map<number, { repeated: number; ambiguous: number }>()

  add(segmentId: number, found: { isRepeated: boolean; isAmbiguous: boolean }): void {
    if (!found.isRepeated && !found.isAmbiguous) return
    let counts = this.#counts.get(segmentId)
    if (counts === undefined) {
      counts = { repeated: 0, ambiguous: 0 }
      this.#counts.set(segmentId, counts)
    }
    counts.repeated += Number(found.isRepeated)
    counts.ambiguous += Number(found.isAmbiguous)
  }

  /** Writes the collected counts; a segment that was pruned has none any more. */
  apply(tables: ProjectionTables): void {
    for (const [segmentId, counts] of this.#counts) tables.countCompletions(segmentId, counts)
    this.#counts.clear()
  }
}

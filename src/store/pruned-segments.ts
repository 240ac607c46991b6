/** The segments whose rows were pruned from a database. */
export class PrunedSegments {
  static readonly NONE: PrunedSegments = new PrunedSegments(0)

  /**
   * The id of the last of the segments that were pruned in order, from the oldest on; 0 if there
   * are none.
   */
  readonly through: number
  /**
   * The ids of imported segments after that one that were pruned individually, because their
   * requests were old.
   */
  readonly imports: ReadonlySet<number>

  constructor(through: number, imports: Iterable<number> = []) {
    this.through = through
    this.imports = new Set(imports)
  }

  get isNone(): boolean {
    return this.through === 0 && this.imports.size === 0
  }

  has(segmentId: number): boolean {
    return segmentId <= this.through || this.imports.has(segmentId)
  }
}

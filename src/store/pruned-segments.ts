/** The segments whose rows were pruned from a database. */
export class PrunedSegments {
  static readonly NONE: PrunedSegments = new PrunedSegments(0)

  /** All segments up to this one were pruned, by id; 0: none was. */
  readonly through: number
  /** Imported segments after that one that were pruned by themselves, since their requests were old. */
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

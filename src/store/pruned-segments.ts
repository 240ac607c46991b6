/** The segments whose rows were pruned from a database. */
export class PrunedSegments {
  static readonly NONE: PrunedSegments = new PrunedSegments(0)

  /** All segments up to this one were pruned, by id; 0: none was. */
  readonly through: number
  /** Imported segments after that one that were pruned by themselves, since their requests were old. */
  readonly apart: ReadonlySet<number>

  constructor(through: number, apart: Iterable<number> = []) {
    this.through = through
    this.apart = new Set(apart)
  }

  get isNone(): boolean {
    return this.through === 0 && this.apart.size === 0
  }

  has(segmentId: number): boolean {
    return segmentId <= this.through || this.apart.has(segmentId)
  }
}

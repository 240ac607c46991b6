import { statSync } from 'node:fs'
import { listSegments, type Segment } from '../journal/segments.js'

/** A directory's time of change is coarse: one this young may hide another change in the same tick. */
const MTIME_SETTLES_MS = 2000

/** The journal's segments, listed anew only when the directory has changed: a year of hours has 8,760 names. */
export class SegmentList {
  readonly #directory: string
  #segments: Segment[] = []
  #mtimeMs = Number.NaN

  constructor(directory: string) {
    this.#directory = directory
  }

  /** List anew at the next call: what was listed is not there. */
  forget(): void {
    this.#mtimeMs = Number.NaN
  }

  get(): readonly Segment[] {
    const mtimeMs = statSync(this.#directory, { throwIfNoEntry: false })?.mtimeMs ?? Number.NaN
    const isSettled = mtimeMs === this.#mtimeMs && Date.now() - mtimeMs > MTIME_SETTLES_MS
    if (!isSettled) {
      this.#segments = listSegments(this.#directory)
      this.#mtimeMs = mtimeMs
    }
    return this.#segments
  }
}

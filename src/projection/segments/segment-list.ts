import { statSync } from 'node:fs'
import { isSettled } from '../../journal/files.js'
import { listSegments, type Segment } from '../../journal/segments.js'

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
    if (mtimeMs !== this.#mtimeMs || !isSettled(mtimeMs, Date.now())) {
      this.#segments = listSegments(this.#directory)
      this.#mtimeMs = mtimeMs
    }
    return this.#segments
  }
}
